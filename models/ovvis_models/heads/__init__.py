"""Parts that turn features into answers: classifiers, guidance, adapters."""
