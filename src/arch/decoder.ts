/** A decoder-only language model from one block a layer: the frame that all architectures share. */
import type { Architecture } from './architecture.ts'
import type { Block, NamedShape } from './blocks/block-context.ts'
import { embed } from './blocks/embed.ts'
import { product } from './blocks/matrices.ts'
import { rmsNorm } from './blocks/norm.ts'
import { softcap } from './blocks/softcap.ts'

const EMBEDDING = 'model.embed_tokens.weight'
const HEAD = 'lm_head.weight'

const layerOf = (weight: string) => weight.replace(/\.weight$/, '')

const layerName = (layer: number) => `model.layers.${layer}`

/** The names of weights are those that all supported families use in their checkpoints. */
export function decoder(
  family: Pick<Architecture, 'names' | 'configure'> & { readonly layer: Block },
): Architecture {
  const { names, configure, layer: block } = family
  return {
    names,
    configure,
    hidden(ctx, ids) {
      let x = embed(ctx, ids, EMBEDDING)
      for (let layer = 0; layer < ctx.config.layers; layer++)
        x = block.apply(ctx, x, { layer, name: layerName(layer) })
      return x
    },
    finalNorm: (ctx, x) => rmsNorm(ctx, x, 'model.norm'),
    logits(ctx, x) {
      const { vocabSize: out, tiedEmbeddings, logitSoftcap } = ctx.config
      const head = layerOf(tiedEmbeddings ? EMBEDDING : HEAD)
      return softcap(ctx.b, product(ctx, x, head, { out, bias: false }), logitSoftcap)
    },
    weights(config) {
      const { vocabSize: V, hiddenSize: H, layers, tiedEmbeddings } = config
      const shapes: NamedShape[] = [[EMBEDDING, [V, H]]]
      for (let layer = 0; layer < layers; layer++)
        shapes.push(...block.weights(config, layerName(layer)))
      shapes.push(['model.norm.weight', [H]])
      if (!tiedEmbeddings) shapes.push([HEAD, [V, H]])
      return new Map(shapes)
    },
    vocabularyWeights: [EMBEDDING, HEAD],
    linearLayers: block.linears,
  }
}
