"""Chapter 6: slips that people make with a divergence."""
# ruff: noqa: F821

MUTANTS = [
    Mutant(
        cell="634cc6d2",
        old="(q * (q / p).log2())",
        new="(q * (q / p).log())",
        slip="nats for bits",
    ),
    Mutant(
        cell="66364449",
        old="(q * (q.log() - p.log())).sum(-1)",
        new="(q * (q.log() - p.log())).mean(-1)",
        slip="a mean over the letters for their sum",
    ),
    Mutant(
        cell="66364449",
        old="(q * (q.log() - p.log()))",
        new="(p * (p.log() - q.log()))",
        slip="the other direction",
    ),
    Mutant(
        cell="66364449",
        old="(q * (q.log() - p.log()))",
        new="(p * (q.log() - p.log()))",
        slip="the average over p of what belongs to q",
    ),
    Mutant(
        cell="66364449",
        old="/ math.log(2)",
        new="* math.log(2)",
        slip="nats to bits the wrong way",
    ),
    Mutant(
        cell="ae9ce178",
        old="kl_divergence(narrow, wide), kl_divergence(wide, narrow)",
        new="kl_divergence(wide, narrow), kl_divergence(narrow, wide)",
        slip="which support has to lie in which",
    ),
    Mutant(
        cell="190c8880",
        old="p_z.log_prob(y.asinh()) - slope.log()",
        new="p_z.log_prob(y.asinh())",
        slip="a density changed without its slope",
    ),
    Mutant(
        cell="190c8880",
        old="entropy_y = -exact",
        new="entropy_y = exact",
        slip="the sign of the entropy",
    ),
    Mutant(
        cell="d71bb8be",
        old="return 0.5 * (mu**2",
        new="return (mu**2",
        slip="the missing ½",
    ),
    Mutant(
        cell="d71bb8be",
        old="- 1 - logvar).sum(-1)",
        new="- 1 - logvar).mean(-1)",
        slip="a mean over the dimensions for their sum",
    ),
    Mutant(
        cell="d71bb8be",
        old="mu**2 + logvar.exp()",
        new="mu**2 + (0.5 * logvar).exp()",
        slip="the standard deviation for the variance",
    ),
    Mutant(
        cell="d71bb8be",
        old="std_p = (0.5 * logvar_p).exp()",
        new="std_p = logvar_p.exp()",
        slip="the variance for the standard deviation",
    ),
    Mutant(
        cell="d71bb8be",
        old="logvar_q - logvar_p",
        new="logvar_p - logvar_q",
        slip="the ratio of the variances turned round",
    ),
    Mutant(
        cell="84d5bd60",
        old="2 * stretch.diagonal()",
        new="stretch.diagonal()",
        slip="the log-determinant of the factor for that of the matrix",
    ),
    Mutant(
        cell="84d5bd60",
        old="solve_triangular(root_p, root_q,",
        new="solve_triangular(root_q, root_p,",
        slip="the two factors swapped",
    ),
    Mutant(
        cell="27c6a5ca",
        old="p.log_prob(draws) - q.log_prob(draws)",
        new="q.log_prob(draws) - p.log_prob(draws)",
        slip="the sign of the log-ratio",
    ),
    Mutant(
        cell="27c6a5ca",
        old="values.shape[-1] ** 0.5",
        new="values.shape[-1]",
        slip="a standard error divided by S for √S",
    ),
    Mutant(
        cell="a6f4ff0f",
        old="one.loc + eps @ one.scale_tril.T",
        new="other.loc + eps @ other.scale_tril.T",
        slip="draws from p for draws from q",
    ),
    Mutant(
        cell="3f1287fe",
        old="exact.kl_on_grid(log_p, log_q, grid)",
        new="exact.kl_on_grid(log_q, log_p, grid)",
        slip="the reverse direction for the forward one",
    ),
    Mutant(
        cell="f4ecfa22",
        old="Normal(*moments)",
        new="Normal(moments[0], moments[1] ** 2)",
        slip="the variance for the standard deviation",
    ),
]
