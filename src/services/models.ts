/**
 * The served models by name, and which attribute model measures which language model.
 */
import { fail } from '../errors.ts'
import type { ModelRuntime } from './runtime-types.ts'

export interface Models {
  /** In the order of loading. */
  list(): readonly ModelRuntime[]
  /** Fails MODEL_NOT_FOUND with the names there are. */
  get(id: string): ModelRuntime
  /** Fails MODEL_NOT_FOUND or MODEL_NOT_GENERATIVE. */
  getGenerative(id: string): ModelRuntime
  /** Fails MODEL_NOT_FOUND or MODEL_NOT_PREDICTIVE. */
  getPredictive(id: string): ModelRuntime
  /** The attribute model with the same attribute names, or null. */
  predictorFor(model: ModelRuntime): ModelRuntime | null
  /** The model a request without a name means: the first that generates, else the first. */
  default(): ModelRuntime
}

export function createModels(runtimes: readonly ModelRuntime[]): Models {
  const names = (list: readonly ModelRuntime[]): string =>
    list.map((item) => item.info.id).join(', ')
  const ofKind = (kind: string): ModelRuntime[] =>
    runtimes.filter((item) => item.info.kind === kind)

  const get = (id: string): ModelRuntime =>
    runtimes.find((item) => item.info.id === id) ??
    fail('MODEL_NOT_FOUND', `"${shorten(id)}"; served here: ${names(runtimes) || 'none'}`, {
      param: 'model',
    })
  const predictorFor = (model: ModelRuntime): ModelRuntime | null => {
    const wanted = attributeNames(model)
    if (wanted === '') return null
    return ofKind('attribute-model').find((item) => attributeNames(item) === wanted) ?? null
  }

  return {
    list: () => runtimes,
    get,
    predictorFor,
    getGenerative(id) {
      const model = get(id)
      if (model.info.kind === 'language-model') return model
      const others = names(ofKind('language-model')) || 'none'
      return fail(
        'MODEL_NOT_GENERATIVE',
        `"${id}" predicts attributes; models that write: ${others}`,
        {
          param: 'model',
        },
      )
    },
    getPredictive(id) {
      const model = get(id)
      if (model.info.kind === 'attribute-model') return model
      const own = predictorFor(model)
      const hint = own ? `; its attribute model is "${own.info.id}"` : ''
      return fail('MODEL_NOT_PREDICTIVE', `"${id}" generates text${hint}`, { param: 'model' })
    },
    default: () =>
      ofKind('language-model')[0] ??
      runtimes[0] ??
      fail('MODEL_NOT_FOUND', 'no model is served', { param: 'model' }),
  }
}

/** The same set in another order measures the same. */
function attributeNames(model: ModelRuntime): string {
  return model.info.attributes
    .map((spec) => spec.name)
    .toSorted()
    .join()
}

function shorten(text: string): string {
  return text.length > 80 ? `${text.slice(0, 77)}...` : text
}
