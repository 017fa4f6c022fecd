/* stub */
#include "nn.h"
