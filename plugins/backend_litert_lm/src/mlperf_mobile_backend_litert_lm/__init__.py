"""Language models as .litertlm files on LiteRT-LM, an engine that takes text."""
