"""Language models: TinyMMLU's questions and IFEval's instructions, scored as the reference app does."""
