"""TFRecord files of tf.train.Examples, as the reference app's data sets are: read without TensorFlow."""
