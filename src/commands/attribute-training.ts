/** What `train apm` trains on: rated replies or pairs of them, the weights of labels, and where the head starts. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { AttributeSet } from '../../schemas/attributes.ts'
import type { RatedTokens } from '../apm/calibrate-scorer.ts'
import type { Dataset } from '../datasets/dataset-store.ts'
import { fail } from '../errors.ts'
import type { HeadStart, TrainRows } from '../training/train-model.ts'
import { openSafetensors } from '../weights/safetensors-reader.ts'
import { pairLosses, rankedRows, type PairLoss } from './preference-rows.ts'
import { labelMeans, ratedRows, splitByPrompt } from './training-rows.ts'
import type { OpenedModel } from './workplace.ts'

export const attributeFlags = {
  method: {
    type: 'string',
    default: 'gradient',
    choices: ['gradient', 'ridge'],
    help: 'apm: train the weights, or fit the head alone to the states of the base (fast)',
  },
  loss: {
    type: 'string',
    default: 'regression',
    choices: ['regression', ...pairLosses],
    help: 'apm: squared error of the values, or Bradley–Terry on pairs (plain, with margin, scaled)',
  },
  preferred: {
    type: 'string',
    help: 'apm, bt losses: attribute that is compared; default: helpfulness or the first',
  },
  'attribute-weights': {
    type: 'string',
    help: 'apm: weights in the squared error, as helpfulness=1,verbosity=0.5; others 1',
  },
  'rater-weights': {
    type: 'boolean',
    default: false,
    help: 'apm: a value weighs as many times as it has raters',
  },
} as const

export interface AttributeTraining {
  readonly method: string
  readonly lora: number
  readonly 'init-adapter'?: string
  readonly loss: string
  readonly preferred?: string
  readonly 'attribute-weights'?: string
  readonly 'rater-weights': boolean
  readonly validation: number
  readonly seed: number
}

/** A flag that would change nothing is a mistake: NeMo-Aligner ignored a documented loss in silence. */
export function checkAttributeFlags(kind: string, values: AttributeTraining): void {
  const isWeighed = values['attribute-weights'] !== undefined || values['rater-weights']
  const isCompared = values.loss !== 'regression' || values.preferred !== undefined
  if (kind !== 'apm' && (isWeighed || isCompared))
    fail('BAD_ARGUMENT', `--loss, --preferred and weights of labels are for apm, not ${kind}`)
  if (values.loss !== 'regression' && isWeighed)
    fail('BAD_ARGUMENT', `--loss ${values.loss}: the weights of labels are for regression`)
  const isRidge = values.method === 'ridge'
  const isAdapted = values.lora > 0 || values['init-adapter'] !== undefined
  if (isRidge && (kind !== 'apm' || values.loss !== 'regression' || isAdapted))
    fail('BAD_ARGUMENT', '--method ridge: is for apm with --loss regression, without adapters')
  if (isRidge && values['attribute-weights'] !== undefined)
    fail('BAD_ARGUMENT', '--attribute-weights: ridge fits each attribute by itself')
  if (values.loss === 'regression' && values.preferred !== undefined)
    fail('BAD_ARGUMENT', '--preferred: is for the bt losses')
}

/** `name=weight,…` as one weight an attribute. Throws BAD_ARGUMENT. */
export function parseAttributeWeights(
  text: string | undefined,
  attributes: AttributeSet,
): number[] | undefined {
  if (text === undefined) return undefined
  const given = new Map(
    text.split(',').map((entry) => {
      const [name = '', value = ''] = entry.split('=')
      const weight = value.trim() === '' ? NaN : Number(value)
      if (!attributes.some((spec) => spec.name === name))
        fail('BAD_ARGUMENT', `--attribute-weights: no attribute "${name}"; there are ${attributes.map((spec) => spec.name).join(', ')}`) // prettier-ignore
      if (!(weight >= 0 && weight <= 1e6))
        fail('BAD_ARGUMENT', `--attribute-weights: expected ${name}=0…1e6, got "${entry}"`)
      return [name, weight] as const
    }),
  )
  const weights = attributes.map(({ name }) => given.get(name) ?? 1)
  if (weights.every((weight) => weight === 0))
    fail('BAD_ARGUMENT', '--attribute-weights: all are 0')
  return weights
}

/** The head of a base that is an attribute model of the same attributes: what it has learnt is kept. */
async function baseHead({ dir, manifest }: OpenedModel, attributes: AttributeSet) {
  const names = (set: AttributeSet) => set.map(({ name }) => name).join()
  const path = join(dir, 'head.safetensors')
  if (manifest.kind !== 'attribute-model' || names(manifest.attributes) !== names(attributes))
    return undefined
  if (!existsSync(path)) return undefined
  const file = await openSafetensors(path)
  try {
    const [weight, bias] = [await file.readFloat32('weight'), await file.readFloat32('bias')]
    return { weight, bias: [...bias] }
  } finally {
    await file.close()
  }
}

function comparedColumn(preferred: string | undefined, attributes: AttributeSet): number {
  const find = (name: string) => attributes.findIndex((spec) => spec.name === name)
  if (preferred === undefined) return Math.max(0, find('helpfulness'))
  const column = find(preferred)
  return column >= 0 ? column : fail('BAD_ARGUMENT', `--preferred: no attribute "${preferred}"`)
}

/** Rows, head and column of the training that the flags ask for; the rows held back serve to calibrate. */
export async function attributeRows(
  dataset: Dataset,
  text: OpenedModel,
  attributes: AttributeSet,
  values: AttributeTraining,
): Promise<{ rows: TrainRows; heldOut?: readonly RatedTokens[] }> {
  const { template } = text
  const { validation, seed, loss } = values
  const learnt: HeadStart | undefined = await baseHead(text, attributes)
  if (loss !== 'regression') {
    const column = comparedColumn(values.preferred, attributes)
    const options = { attribute: attributes[column]!.name, loss: loss as PairLoss }
    const rows = await rankedRows(dataset, template, options)
    const head = learnt ?? { bias: attributes.map(() => 0) }
    // A reward that was only compared has no scale that could be calibrated.
    return { rows: { kind: 'ranking', head, column, ...splitByPrompt(rows, validation, seed) } }
  }
  const weights = parseAttributeWeights(values['attribute-weights'], attributes)
  const perRater = values['rater-weights']
  const rows = await ratedRows(dataset, template, attributes, { weights, perRater })
  const head = learnt ?? { bias: labelMeans(rows, attributes) }
  const split = splitByPrompt(rows, validation, seed)
  return { rows: { kind: 'regression', head, ...split }, heldOut: split.validation }
}
