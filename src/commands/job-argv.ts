/** A job's spec as the command line that does it. */
import { join } from 'node:path'
import type { JobSpecs, JobTask } from '../../schemas/jobs.ts'

export interface CommandLine {
  readonly command: 'train' | 'label' | 'bootstrap' | 'eval' | 'import'
  readonly argv: readonly string[]
}

export interface CommandPlace {
  readonly home: string
  readonly threads: number
  /** Go on from the last checkpoint; replace a data set that an earlier attempt wrote. */
  readonly resume: boolean
  /** Where labelling and evaluating keep finished work. */
  readonly workFile: string
  /** The checked folder of an import. */
  readonly importPath?: string
}

type Field = string | number | boolean | readonly number[] | null | undefined

/** `{batch_size: 8, label_tokens: true}` → `--batch-size 8 --label-tokens`; null and false leave a flag out. */
function flags(fields: Readonly<Record<string, Field>>): string[] {
  return Object.entries(fields).flatMap(([key, value]) => {
    if (value === null || value === undefined || value === false) return []
    const flag = `--${key.replaceAll('_', '-')}`
    // With "=", for a value may begin with a dash.
    return value === true ? [flag] : [`${flag}=${typeof value === 'object' ? value.join() : value}`]
  })
}

function train(spec: JobSpecs['train'], common: string[]): CommandLine {
  const { stage, overwrite: _overwrite, metadata: _metadata, ...rest } = spec
  return { command: 'train', argv: [stage, ...flags(rest), ...common] }
}

function evaluate(spec: JobSpecs['evaluate'], common: string[], home: string): CommandLine {
  if (spec.type === 'apm') {
    const { type, ...rest } = spec
    return { command: 'eval', argv: [type, ...flags(rest), ...common] }
  }
  const { type, prompts, ...rest } = spec
  const file = prompts ? join(home, 'datasets', prompts, 'records.ndjson') : undefined
  return { command: 'eval', argv: [type, ...flags({ ...rest, prompts: file }), ...common] }
}

/** `publish` has no command line; the registry does it. */
export function jobCommand(
  task: Exclude<JobTask, { kind: 'publish' }>,
  { home, threads, resume, workFile, importPath }: CommandPlace,
): CommandLine {
  const place = ['--json', `--home=${home}`]
  const common = [...place, `--threads=${threads}`]
  const again = resume ? ['--resume'] : []
  const kept = [...common, `--work-file=${workFile}`]
  switch (task.kind) {
    case 'train':
      return train(task.spec, [...common, ...again])
    case 'bootstrap': {
      const { overwrite: _overwrite, ...rest } = task.spec
      return { command: 'bootstrap', argv: [...flags(rest), ...common, ...again] }
    }
    case 'label': {
      const { overwrite, ...rest } = task.spec
      const replace = flags({ overwrite: resume || overwrite })
      return { command: 'label', argv: [...flags(rest), ...kept, ...replace] }
    }
    case 'evaluate':
      return evaluate(task.spec, kept, home)
    case 'import': {
      const { path, hub, overwrite: _overwrite, ...rest } = task.spec
      const from = hub == null ? (importPath ?? path!) : `hf://${hub.replace(/^hf:\/\//, '')}`
      return { command: 'import', argv: [from, ...flags(rest), ...place] }
    }
  }
}
