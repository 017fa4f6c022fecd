/* What the two parts of the Neuron adapter share. */
#ifndef NN_NEURON_H
#define NN_NEURON_H

#include "network.h"

/* Neuron's codes differ from NNAPI's from 6 on (NeuronAdapter.h of mobile_app_open v6.0). */
static inline int neuron_code(int status)
{
    if (status <= NN_OP_FAILED) return status;
    return status == NN_BAD_STATE ? 7 : status == NN_UNMAPPABLE ? 6 : status + 1;
}
#define R(status) neuron_code(status)

enum { L1_KB = 4096 };

#endif
