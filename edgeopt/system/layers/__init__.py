"""Layer tables: the size and the work of every layer of a network, in the order of its forward pass.

Conventions, the same in every module:

- A **layer** is the smallest part that a device can start computing with once it is there: the weights of one
  convolution or matrix product. What has no weights (pooling, activation, addition, softmax, attention products)
  belongs to the layer before it. ``granularity="block"`` merges the layers of a residual block, encoder block or stage.
- **Size**: parameters times bits a parameter, rounded up to whole bits a layer. A normalisation has the two learned
  numbers a channel that published counts have; running statistics fold into them. Activations are not sent.
- **Work**: 2 FLOP a multiply-accumulate (MAC) of convolutions and matrix products, the attention products included, as
  in the counts that torchvision publishes; biases, normalisations, activations and pooling are left out.

Modules: ``table`` (`Layers`), ``catalogue`` (networks by name), ``csv`` (a table of one's own, or measured),
``convolution``, ``resnet``, ``vgg``, ``mobilenet``, ``vit`` (computed from the architecture) and ``transformer``
(decoder-only language models).
"""
