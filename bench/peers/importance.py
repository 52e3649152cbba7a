"""Four ways to an importance in PyTorch: sums over rows of squared gradients, one tensor a parameter.

Each is called as way(model, inputs, labels, sums) and adds to the sums. The first is another quantity than the rest.
"""
import torch
from torch import nn
from torch.nn import functional as F


def zeros(model):
    return {name: torch.zeros_like(p) for name, p in model.named_parameters()}


def published(batch):
    """The square of the batch's mean gradient, as SSD's authors compute it (Foster et al., AAAI 2024). With batch 1 it is the
    exact sum, and the loop that users of that code write for it."""
    criterion = nn.CrossEntropyLoss()

    def run(model, inputs, labels, sums):
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        for first in range(0, len(inputs), batch):
            optimizer.zero_grad()
            criterion(model(inputs[first:first + batch]), labels[first:first + batch]).backward()
            for name, p in model.named_parameters():
                if p.grad is not None:
                    sums[name] += p.grad.data.clone().pow(2)
    return run


BATCH = 64


def mean(model, inputs, labels):
    """The published estimate over rows, as it is stored: a mean over batches."""
    sums = zeros(model)
    published(BATCH)(model, inputs, labels, sums)
    batches = -(-len(inputs) // BATCH)
    return {name: total / batches for name, total in sums.items()}


def vmapped(chunk):
    """Per-sample gradients by functorch, vmap(grad), some rows at a time.

    They are squared out of place: tensors that vmap returns may be views of one another, and squaring one in place would
    corrupt the rest.
    """
    import functorch
    prepared = {}

    def prepare(model):
        function, parameters, buffers = functorch.make_functional_with_buffers(model)

        def loss(parameters, row, label):
            return F.cross_entropy(function(parameters, buffers, row[None]), label[None])
        prepared[id(model)] = functorch.vmap(functorch.grad(loss), in_dims=(None, 0, 0)), [p.detach() for p in parameters]

    def run(model, inputs, labels, sums):
        if id(model) not in prepared:
            prepare(model)
        gradient, parameters = prepared[id(model)]
        for first in range(0, len(inputs), chunk):
            per_sample = gradient(parameters, inputs[first:first + chunk], labels[first:first + chunk])
            for total, g in zip(sums.values(), per_sample):
                for row in g:
                    total.addcmul_(row, row)
    return run


def conv_squares(module, x, dy, weight, bias):
    """One weight gradient a sample, added while it is warm."""
    for row, d in zip(x.split(1), dy.split(1)):
        g = torch.ops.aten.convolution_backward(d, row, module.weight, None, module.stride, module.padding, module.dilation,
                                                False, [0, 0], module.groups, [False, True, False])[1]
        weight.addcmul_(g, g)
    if bias is not None:
        bias += dy.sum((2, 3)).square_().sum(0)


def linear_squares(module, x, dy, weight, bias):
    """Of vectors, the square of an outer product is the outer product of the squares: one matrix product for all rows."""
    if x.dim() == 2:
        weight.addmm_(dy.square().t(), x.square())
        bias += dy.square().sum(0)
        return
    g = torch.empty_like(weight)
    for row, d in zip(x, dy):
        torch.mm(d.t(), row, out=g)
        weight.addcmul_(g, g)
    bias += dy.sum(1).square_().sum(0)


def layer_norm_squares(module, x, dy, weight, bias):
    normal = F.layer_norm(x, module.normalized_shape, eps=module.eps)
    weight += normal.mul_(dy).sum(1).square_().sum(0)
    bias += dy.sum(1).square_().sum(0)


def batch_norm_squares(module, x, dy, weight, bias):
    normal = F.batch_norm(x, module.running_mean, module.running_var, eps=module.eps)
    weight += normal.mul_(dy).sum((2, 3)).square_().sum(0)
    bias += dy.sum((2, 3)).square_().sum(0)


SQUARES = {nn.Conv2d: conv_squares, nn.Linear: linear_squares, nn.LayerNorm: layer_norm_squares,
           nn.BatchNorm2d: batch_norm_squares}


class Expert:
    """The fastest exact form that we know how to write in PyTorch.

    Forward and backward to the data run on the whole batch, without gradients of parameters. At each layer's output the
    gradient is caught and, with the layer's input, squared into the sums: sample by sample for convolutions and sequences.
    """

    def __init__(self, batch):
        self.batch, self.model = batch, None

    def attach(self, model, sums):
        self.model, first = model, True
        for p in model.parameters():
            p.requires_grad_(False)
        for name, module in model.named_modules():
            own = list(module.named_parameters(prefix=name, recurse=False))
            if not own:
                continue
            into = [sums[key] for key, _ in own]
            if type(module) in SQUARES:
                into += [None] * (2 - len(into))
                module.register_forward_hook(self.catch(SQUARES[type(module)], into, first))
            else:
                module.register_forward_hook(self.catch_embedding(into))
            first = False

    @staticmethod
    def catch(squares, into, first):
        def hook(module, inputs, output):
            if first:
                output.requires_grad_()
            x = inputs[0].detach()
            output.register_hook(lambda dy: squares(module, x, dy, *into))
        return hook

    @staticmethod
    def catch_embedding(into):
        def hook(module, inputs, output):
            def squares(dy):
                into[0] += dy[:, :1].square().sum(0, keepdim=True)
                into[1] += dy.square().sum(0, keepdim=True)
            output.register_hook(squares)
        return hook

    def __call__(self, model, inputs, labels, sums):
        if self.model is not model:
            self.attach(model, sums)
        for first in range(0, len(inputs), self.batch):
            scores = model(inputs[first:first + self.batch])
            F.cross_entropy(scores, labels[first:first + self.batch], reduction="sum").backward()
