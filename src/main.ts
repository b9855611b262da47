/** The command line: finds the command, prints its errors in one line, sets the exit code. */
import { SteerError } from './errors.ts'
import { useCompileCache } from './util/compile-cache.ts'

type Run = (argv: string[]) => Promise<number>

const commands: Readonly<Record<string, { help: string; load: () => Promise<{ run: Run }> }>> = {
  serve: {
    help: 'serve models over HTTP and WebSocket',
    load: () => import('./commands/serve.ts'),
  },
  import: {
    help: 'a checkpoint or a model of a hub into the workspace',
    load: () => import('./commands/import.ts'),
  },
  adapter: {
    help: 'LoRA adapters: import, export, merge',
    load: () => import('./commands/adapter.ts'),
  },
  worker: {
    help: 'does jobs beside servers, with DATABASE_URL',
    load: () => import('./commands/worker.ts'),
  },
  data: { help: 'import, stats, export of data sets', load: () => import('./commands/data.ts') },
  train: { help: 'pretrain, apm or sft', load: () => import('./commands/train.ts') },
  label: {
    help: 'label a data set with an attribute model',
    load: () => import('./commands/label.ts'),
  },
  bootstrap: {
    help: 'sample, re-label and train again (SteerLM step 4)',
    load: () => import('./commands/bootstrap.ts'),
  },
  eval: { help: 'reports: apm, steering', load: () => import('./commands/eval.ts') },
  models: {
    help: 'publish, roll back, delete: the registry',
    load: () => import('./commands/models.ts'),
  },
  keys: { help: 'create, list, revoke API keys', load: () => import('./commands/keys.ts') },
  bench: {
    help: 'decode, prefill, prefix, sampler, train',
    load: () => import('./commands/bench.ts'),
  },
}

function usage(): string {
  const lines = Object.entries(commands).map(([name, { help }]) => `  ${name.padEnd(10)} ${help}`)
  return `usage: steerlm <command> [flags]; steerlm <command> --help lists the flags\n${lines.join('\n')}`
}

async function main(argv: string[]): Promise<number> {
  const [name, ...rest] = argv
  if (name === undefined || name === '--help' || name === '-h') {
    console.log(usage())
    return name === undefined ? 2 : 0
  }
  const command = Object.hasOwn(commands, name) ? commands[name] : undefined
  if (!command) {
    console.error(
      `steerlm: unknown command "${name}"; expected one of ${Object.keys(commands).join(', ')}`,
    )
    return 2
  }
  return (await command.load()).run(rest)
}

useCompileCache()
try {
  process.exitCode = await main(process.argv.slice(2))
} catch (error) {
  if (!(error instanceof SteerError)) throw error
  console.error(`steerlm: ${error.message}`)
  process.exitCode = error.status < 500 ? 2 : 1
}
