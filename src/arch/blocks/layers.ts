/** How the two halves of a layer and its norms are put together. */
import type { Block } from './block-context.ts'
import { rmsNorm } from './norm.ts'

const linearsOf = (attention: Block, mlp: Block): string[] => [
  ...attention.linears.map((name) => `self_attn.${name}`),
  ...mlp.linears.map((name) => `mlp.${name}`),
]

/** h = x + attention(norm(x)), y = h + mlp(norm(h)). */
export const preNormLayer = (attention: Block, mlp: Block): Block => ({
  apply(ctx, x, { layer, name }) {
    const normed = rmsNorm(ctx, x, `${name}.input_layernorm`)
    const attended = attention.apply(ctx, normed, { layer, name: `${name}.self_attn` })
    const middle = ctx.b.op('Add', [x, attended], {})
    const inner = rmsNorm(ctx, middle, `${name}.post_attention_layernorm`)
    return ctx.b.op('Add', [middle, mlp.apply(ctx, inner, { layer, name: `${name}.mlp` })], {})
  },
  weights: (config, name) => [
    [`${name}.input_layernorm.weight`, [config.hiddenSize]],
    ...attention.weights(config, `${name}.self_attn`),
    [`${name}.post_attention_layernorm.weight`, [config.hiddenSize]],
    ...mlp.weights(config, `${name}.mlp`),
  ],
  linears: linearsOf(attention, mlp),
})

/** h = x + norm(attention(norm(x))), y = h + norm(mlp(norm(h))): four norms. */
export const sandwichNormLayer = (attention: Block, mlp: Block): Block => ({
  apply(ctx, x, { layer, name }) {
    const normed = rmsNorm(ctx, x, `${name}.input_layernorm`)
    const attended = attention.apply(ctx, normed, { layer, name: `${name}.self_attn` })
    const outer = rmsNorm(ctx, attended, `${name}.post_attention_layernorm`)
    const middle = ctx.b.op('Add', [x, outer], {})
    const inner = rmsNorm(ctx, middle, `${name}.pre_feedforward_layernorm`)
    const fed = mlp.apply(ctx, inner, { layer, name: `${name}.mlp` })
    return ctx.b.op('Add', [middle, rmsNorm(ctx, fed, `${name}.post_feedforward_layernorm`)], {})
  },
  weights: (config, name) => [
    [`${name}.input_layernorm.weight`, [config.hiddenSize]],
    ...attention.weights(config, `${name}.self_attn`),
    [`${name}.post_attention_layernorm.weight`, [config.hiddenSize]],
    [`${name}.pre_feedforward_layernorm.weight`, [config.hiddenSize]],
    ...mlp.weights(config, `${name}.mlp`),
    [`${name}.post_feedforward_layernorm.weight`, [config.hiddenSize]],
  ],
  linears: linearsOf(attention, mlp),
})
