-- What a model's ONNX file leaves open: sizes of symbolic dimensions, and initializers that are no parameters. Every
-- version of the model is loaded with it.
ALTER TABLE models ADD COLUMN options TEXT;             -- JSON; NULL: nothing
