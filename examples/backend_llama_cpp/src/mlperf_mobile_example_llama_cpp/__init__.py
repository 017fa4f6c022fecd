"""Language models as GGUF files on llama.cpp, through llama-cpp-python; an example of a backend that generates."""
