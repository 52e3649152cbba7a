#!/usr/bin/python3
"""The models that are measured, as PyTorch modules; run as a program it writes them out: models.py FOLDER.

FOLDER/NAME.pt            the weights, which the PyTorch peers load
FOLDER/NAME.onnx          the default export: constants folded, batch norm folded into the convolutions
FOLDER/NAME.kept.onnx     the same with its batch norm kept: for training, and for comparing with a model that has it
FOLDER/NAME.inputs.npy    random rows, FOLDER/NAME.labels.npy their classes
FOLDER/NAME.forget.*.npy  the first of them, which are deleted
FOLDER/NAME.json          parameters, and floating-point operations of one row forward and of one gradient

Weights and rows are random from a fixed seed: how long the arithmetic takes does not depend on what was learned.
"""
import json
import sys
import warnings
from pathlib import Path

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from rows import CLASSES, DELETED, MODELS

OPSET = 17


class BasicBlock(nn.Module):
    """Two 3x3 convolutions and a shortcut (He et al., CVPR 2016)."""

    def __init__(self, inside, outside, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(inside, outside, 3, stride, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(outside)
        self.conv2 = nn.Conv2d(outside, outside, 3, 1, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(outside)
        self.shortcut = nn.Sequential()
        if stride != 1 or inside != outside:
            self.shortcut = nn.Sequential(nn.Conv2d(inside, outside, 1, stride, bias=False), nn.BatchNorm2d(outside))

    def forward(self, x):
        y = torch.relu(self.norm1(self.conv1(x)))
        return torch.relu(self.norm2(self.conv2(y)) + self.shortcut(x))


class ResNet18(nn.Module):
    """The form for 32x32 images: a 3x3 stem and no pooling before the blocks."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 64, 3, 1, 1, bias=False), nn.BatchNorm2d(64))
        blocks, inside = [], 64
        for outside, stride in ((64, 1), (64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), (512, 1)):
            blocks.append(BasicBlock(inside, outside, stride))
            inside = outside
        self.blocks = nn.Sequential(*blocks)
        self.head = nn.Linear(inside, CLASSES)

    def forward(self, x):
        x = self.blocks(torch.relu(self.stem(x)))
        return self.head(torch.flatten(nn.functional.adaptive_avg_pool2d(x, 1), 1))


class Attention(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.in_projection = nn.Linear(width, 3 * width)
        self.out_projection = nn.Linear(width, width)

    def forward(self, x):
        n, tokens, width = x.shape
        qkv = self.in_projection(x).reshape(n, tokens, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4)
        query, key, value = qkv[0], qkv[1], qkv[2]
        weights = torch.softmax(query @ key.transpose(-2, -1) * (width // self.heads) ** -0.5, dim=-1)
        return self.out_projection((weights @ value).transpose(1, 2).reshape(n, tokens, width))


class Encoder(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.norm1 = nn.LayerNorm(width)
        self.attention = Attention(width, heads)
        self.norm2 = nn.LayerNorm(width)
        self.grow = nn.Linear(width, 4 * width)
        self.shrink = nn.Linear(4 * width, width)

    def forward(self, x):
        x = x + self.attention(self.norm1(x))
        return x + self.shrink(nn.functional.gelu(self.grow(self.norm2(x))))


class TokenEmbedding(nn.Module):
    """Puts the class token in front of the patches and adds the positions."""

    def __init__(self, width, tokens):
        super().__init__()
        self.token = nn.Parameter(torch.randn(1, 1, width) * 0.02)
        self.positions = nn.Parameter(torch.randn(1, tokens, width) * 0.02)

    def forward(self, x):
        return torch.cat([self.token.expand(x.shape[0], -1, -1), x], dim=1) + self.positions


class VisionTransformer(nn.Module):
    """ViT-Ti with patches of 4 pixels on 32x32 images (Dosovitskiy et al., ICLR 2021): 65 tokens."""

    def __init__(self, width=192, depth=12, heads=3, patch=4, size=32):
        super().__init__()
        self.patches = nn.Conv2d(3, width, patch, patch)
        self.embedding = TokenEmbedding(width, (size // patch) ** 2 + 1)
        self.encoders = nn.Sequential(*(Encoder(width, heads) for _ in range(depth)))
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, CLASSES)

    def forward(self, x):
        x = self.embedding(self.patches(x).flatten(2).transpose(1, 2))
        return self.head(self.norm(self.encoders(x))[:, 0])


def mlp():
    return nn.Sequential(nn.Linear(600, 256), nn.ReLU(), nn.Linear(256, 256), nn.ReLU(), nn.Linear(256, CLASSES))


MODULES = {"resnet18": ResNet18, "vit_ti": VisionTransformer, "mlp": mlp}


def fold(model):
    """Batch norm folded into the convolution before it, as the exporter does: the parameters are those of the ONNX file."""
    for module in list(model.modules()):
        names = [name for name, _ in module.named_children()]
        for name, after in zip(names, names[1:]):
            convolution, norm = getattr(module, name), getattr(module, after)
            if isinstance(convolution, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                setattr(module, name, fuse_conv_bn_eval(convolution, norm))
                setattr(module, after, nn.Identity())
    return model


def load(name, folder, folded):
    """The module with its weights, in evaluation mode."""
    model = MODULES[name]()
    model.load_state_dict(torch.load(Path(folder) / f"{name}.pt"))
    model.eval()
    return fold(model) if folded else model


def rows(name, folder):
    """Inputs and labels."""
    import numpy
    return tuple(torch.from_numpy(numpy.load(Path(folder) / f"{name}.{what}.npy")).clone() for what in ("inputs", "labels"))


def make(name):
    """A module and rows from the seed. Batch norm has seen one batch, so that its statistics are not the defaults."""
    torch.manual_seed(1)
    model = MODULES[name]()
    inputs = torch.randn(MODELS[name].rows, *MODELS[name].shape)
    labels = torch.randint(CLASSES, (MODELS[name].rows,))
    model.train()
    with torch.no_grad():
        model(inputs[:64])
    return model.eval(), inputs, labels


def operations(model, row):
    """Multiplications and additions of convolutions and matrix products, one row: forward, and with the gradients of all
    parameters, for which the first layer needs none of its input."""
    each = []

    def count(module, inputs, output):
        if isinstance(module, nn.Conv2d):
            each.append(2 * output.numel() * module.weight[0].numel())
        elif isinstance(module, nn.Linear):
            each.append(2 * output.numel() * module.in_features)
        elif isinstance(module, Attention):
            tokens, width = inputs[0].shape[1:]
            each.append(4 * tokens * tokens * width)

    handles = [module.register_forward_hook(count) for module in model.modules()]
    with torch.no_grad():
        model(row)
    for handle in handles:
        handle.remove()
    return {"forward": sum(each), "gradient": 3 * sum(each) - each[0]}


def export(model, row, path, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(model, row, path, opset_version=OPSET, input_names=["input"], output_names=["scores"],
                          dynamic_axes={"input": {0: "N"}, "scores": {0: "N"}}, **options)


def write(name, folder):
    import numpy
    model, inputs, labels = make(name)
    torch.save(model.state_dict(), folder / f"{name}.pt")
    for what, values in (("inputs", inputs), ("labels", labels)):
        numpy.save(folder / f"{name}.{what}.npy", values.numpy())
        numpy.save(folder / f"{name}.forget.{what}.npy", values[:DELETED].numpy())
    export(model, inputs[:2], folder / f"{name}.onnx")
    export(model, inputs[:2], folder / f"{name}.kept.onnx", training=torch.onnx.TrainingMode.PRESERVE,
           do_constant_folding=False)
    facts = {"parameters": sum(p.numel() for p in model.parameters()), **operations(model, inputs[:1])}
    (folder / f"{name}.json").write_text(json.dumps(facts) + "\n")


def main():
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for name in MODULES:
        write(name, folder)


if __name__ == "__main__":
    main()
