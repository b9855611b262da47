/**
 * The served models by the names that requests use, and which attribute model measures which language model.
 */
import { fail } from '../errors.ts'
import { parseModelReference, servedAlias } from '../registry/model-name.ts'
import type { ModelRuntime } from './runtime-types.ts'

export interface Models {
  /** In the order of loading. */
  list(): readonly ModelRuntime[]
  /** By its name, or as `name@alias` or `name@version`. Fails MODEL_NOT_FOUND with the names there are. */
  get(id: string): ModelRuntime
  /** Fails MODEL_NOT_FOUND or MODEL_NOT_GENERATIVE. */
  getGenerative(id: string): ModelRuntime
  /** Fails MODEL_NOT_FOUND or MODEL_NOT_PREDICTIVE. */
  getPredictive(id: string): ModelRuntime
  /** The attribute model that labelled the model's training data, else the first with the same attributes, or null. */
  predictorFor(model: ModelRuntime): ModelRuntime | null
  /** The model a request without a name means: the first that generates, else the first. */
  default(): ModelRuntime
}

/** `served` is asked at every call, so that models may come and go. */
export function createModels(served: () => readonly ModelRuntime[]): Models {
  const names = (list: readonly ModelRuntime[]): string =>
    list.map((item) => item.info.id).join(', ')
  const ofKind = (kind: string): ModelRuntime[] =>
    served().filter((item) => item.info.kind === kind)

  const get = (id: string): ModelRuntime =>
    findServed(id, served()) ??
    fail('MODEL_NOT_FOUND', `"${shorten(id)}"; served here: ${names(served()) || 'none'}`, {
      param: 'model',
    })
  const predictorFor = (model: ModelRuntime): ModelRuntime | null => {
    const wanted = attributeNames(model)
    if (wanted === '') return null
    const judges = ofKind('attribute-model').filter((item) => attributeNames(item) === wanted)
    const { attributeModel } = model.info
    const named = attributeModel === undefined ? null : findServed(attributeModel, judges)
    return named ?? judges[0] ?? null
  }

  return {
    list: served,
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
      served()[0] ??
      fail('MODEL_NOT_FOUND', 'no model is served', { param: 'model' }),
  }
}

/**
 * What is served under the very name, else what is the version or has the alias that the name says. While a new version
 * is loading, `name@prod` is what serves in its place.
 */
function findServed(id: string, list: readonly ModelRuntime[]): ModelRuntime | null {
  const exact = list.find((item) => item.info.id === id)
  if (exact) return exact
  const reference = parseModelReference(id)
  if (!reference) return null
  const { model, version, alias } = reference
  const ofModel = list.filter(
    ({ info }) => info.version !== undefined && info.id.split('@')[0] === model,
  )
  const isMeant = ({ info }: ModelRuntime): boolean =>
    version === null
      ? (alias === servedAlias && info.id === model) || (info.aliases ?? []).includes(alias ?? '')
      : info.version === version
  return ofModel.find(isMeant) ?? null
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
