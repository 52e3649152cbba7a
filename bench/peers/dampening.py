"""Selective synaptic dampening as its authors published it (Foster et al., AAAI 2024), in PyTorch."""
import torch

from peers import importance


def dampen(model, everything, forget, alpha, constant):
    """Weights whose importance for the forgotten rows exceeds alpha times that for all rows are multiplied by
    constant times the inverse ratio, at most 1: parameter by parameter, by index, with a power of 1 in between."""
    with torch.no_grad():
        for name, p in model.named_parameters():
            of_all, of_forget = everything[name], forget[name]
            chosen = torch.where(of_forget > of_all.mul(alpha))
            factors = of_all.mul(constant).div(of_forget).pow(1)[chosen]
            factors[torch.where(factors > 1)] = 1
            p[chosen] = p[chosen].mul(factors)


def delete(model, everything, inputs, labels, alpha):
    dampen(model, everything, importance.mean(model, inputs, labels), alpha, 1)


def alpha_that_selects(share, everything, forget):
    """The alpha that this share of all parameters exceeds."""
    ratios = torch.cat([(forget[name] / everything[name]).flatten() for name in everything])
    ratios = ratios[torch.isfinite(ratios)]
    return ratios.kthvalue(int(len(ratios) * (1 - share)))[0].item()
