"""The tensor types that each operation takes, and the feature level from which on it takes them.

From the documentation of each operation in NeuralNetworksTypes.h of the Android Open Source Project (October 2022,
feature level 8); types that no model here is lowered to (16-bit ones) are left out.
"""

from __future__ import annotations

from mlperf_mobile_neural_networks.codes import OperandCode, OperationCode

_LETTERS = {
    "f": OperandCode.TENSOR_FLOAT32,
    "q": OperandCode.TENSOR_QUANT8_ASYMM,
    "s": OperandCode.TENSOR_QUANT8_ASYMM_SIGNED,
    "i": OperandCode.TENSOR_INT32,
    "b": OperandCode.TENSOR_BOOL8,
}

# A digit is the level, where a type came later than its operation.
_TYPES = {
    "f": "EXP LOG LOG_SOFTMAX POW REDUCE_PROD REDUCE_SUM SIN SQRT DETECTION_POSTPROCESSING "
    "ELU FLOOR L2_POOL_2D LOCAL_RESPONSE_NORMALIZATION QUANTIZE",
    "f i": "NEG",
    "f i4": "ABS DIV",
    "f q s4": "AVERAGE_POOL_2D BATCH_TO_SPACE_ND CONCATENATION CONV_2D DEPTHWISE_CONV_2D DEPTH_TO_SPACE "
    "FULLY_CONNECTED GROUPED_CONV_2D LOGISTIC MAX_POOL_2D MEAN PAD PAD_V2 PRELU REDUCE_MAX REDUCE_MIN RELU RELU1 RELU6 "
    "RESIZE_NEAREST_NEIGHBOR SOFTMAX SPACE_TO_BATCH_ND SPACE_TO_DEPTH SQUEEZE STRIDED_SLICE TRANSPOSE "
    "TRANSPOSE_CONV_2D",
    "f q s": "HARD_SWISH",
    "f q3 s4": "L2_NORMALIZATION RESIZE_BILINEAR TANH",
    "f q7 s7": "RSQRT",
    "f q s4 i4": "ADD MUL",
    "f q3 s4 i4": "SUB",
    "f q s4 i6": "RESHAPE",
    "f q3 s4 i3": "EMBEDDING_LOOKUP",
    "f q s4 i": "ARGMAX ARGMIN EXPAND_DIMS GATHER MAXIMUM MINIMUM SELECT SLICE SPLIT TILE TOPK_V2",
    "f q s i": "PACK MIRROR_PAD",
    "f s i": "BATCH_MATMUL",
    "f q s4 i b": "EQUAL GREATER GREATER_EQUAL LESS LESS_EQUAL NOT_EQUAL",
    "f i q": "CAST",
    "q s4": "DEQUANTIZE",
    "b": "LOGICAL_AND LOGICAL_NOT LOGICAL_OR REDUCE_ALL REDUCE_ANY",
}

TENSOR_TYPES = {
    OperationCode[name]: {
        _LETTERS[word[0]]: max(int(word[1:] or 1), OperationCode[name].feature_level, _LETTERS[word[0]].feature_level)
        for word in words.split()
    }
    for words, names in _TYPES.items()
    for name in names.split()
}
"""The first feature level of each type of an operation's main input."""

OTHER_RESULTS = {
    OperationCode.ARGMAX, OperationCode.ARGMIN, OperationCode.CAST, OperationCode.DEQUANTIZE, OperationCode.EQUAL,
    OperationCode.GREATER, OperationCode.GREATER_EQUAL, OperationCode.LESS, OperationCode.LESS_EQUAL,
    OperationCode.NOT_EQUAL, OperationCode.QUANTIZE,
}  # fmt: skip
"""The operations whose first result is not of the main input's type."""
