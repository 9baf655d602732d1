# The countable classes of msrc_v2, which its classes.json does not name.
msrc_things = [
    'cow', 'horse', 'sheep', 'aeroplane', 'face', 'car', 'bicycle', 'flower',
    'sign', 'bird', 'book', 'chair', 'cat', 'dog', 'body', 'boat',
]  # fmt: skip
