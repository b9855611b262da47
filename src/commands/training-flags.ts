/** The flags that every training command shares, with their defaults, and what they turn into. */
import type { HyperParameters } from '../training/train-model.ts'
import { deviceFlag } from './device-flag.ts'
import type { FlagValues } from '../util/args.ts'

export const trainingFlags = {
  'max-steps': { type: 'integer', default: 0, min: 0, help: 'optimizer steps; 0: by --epochs' },
  epochs: { type: 'number', default: 1, min: 0, help: 'passes over the rows' },
  'batch-size': { type: 'integer', default: 16, min: 1, help: 'rows per optimizer step' },
  accumulate: { type: 'integer', default: 1, min: 1, help: 'micro-batches per optimizer step' },
  'max-tokens': {
    type: 'integer',
    default: 0,
    min: 0,
    help: "longest row; 0: the model's context",
  },
  lr: { type: 'number', default: 3e-4, min: 0, help: 'learning rate' },
  'lr-schedule': {
    type: 'string',
    default: 'cosine',
    choices: ['constant', 'linear', 'cosine'],
    help: 'after the warm-up',
  },
  'warmup-steps': { type: 'integer', default: 0, min: 0, help: 'steps of linear warm-up' },
  'weight-decay': { type: 'number', default: 0.01, min: 0, help: 'decoupled weight decay' },
  'adam-beta1': { type: 'number', default: 0.9, min: 0, max: 1, help: 'AdamW β₁' },
  'adam-beta2': { type: 'number', default: 0.95, min: 0, max: 1, help: 'AdamW β₂' },
  'adam-eps': { type: 'number', default: 1e-8, min: 0, help: 'AdamW ε' },
  'clip-norm': {
    type: 'number',
    default: 1,
    min: 0,
    help: 'largest gradient norm; 0: no clipping',
  },
  seed: { type: 'integer', default: 1, min: 0, help: 'of weights, order, label dropout' },
  'no-shuffle': { type: 'boolean', default: false, help: 'rows in file order' },
  'eval-every': {
    type: 'integer',
    default: 0,
    min: 0,
    help: 'steps between evaluations; 0: at the end',
  },
  'checkpoint-every': { type: 'integer', default: 200, min: 0, help: 'steps between checkpoints' },
  resume: { type: 'boolean', default: false, help: 'go on from the last checkpoint' },
  ...deviceFlag,
  threads: { type: 'integer', default: 0, min: 0, help: 'CPU threads; 0: all cores' },
  'log-jsonl': { type: 'string', help: 'write one JSON line a step to this file' },
  json: { type: 'boolean', default: false, help: 'print the result as JSON' },
  home: { type: 'string', help: 'data folder (STEERLM_HOME, ~/.steerlm)' },
} as const

type TrainingValues = FlagValues<typeof trainingFlags>

/** `contextTokens` bounds a row where --max-tokens does not. */
export function hyperParameters(values: TrainingValues, contextTokens: number): HyperParameters {
  return {
    maxSteps: values['max-steps'],
    epochs: values.epochs,
    batchSize: values['batch-size'],
    accumulate: values.accumulate,
    maxTokens: values['max-tokens'] || contextTokens,
    lr: values.lr,
    lrSchedule: values['lr-schedule'] as HyperParameters['lrSchedule'],
    warmupSteps: values['warmup-steps'],
    weightDecay: values['weight-decay'],
    adamBeta1: values['adam-beta1'],
    adamBeta2: values['adam-beta2'],
    adamEps: values['adam-eps'],
    clipNorm: values['clip-norm'],
    seed: values.seed,
    shuffle: !values['no-shuffle'],
  }
}
