/** Specs of jobs against the flags of the commands: what the command line would refuse must not come out. */
import t from 'tap'
import type { JobTask } from '../../schemas/jobs.ts'
import { jobCommand } from '../../src/commands/job-argv.ts'

const place = { home: '/home', threads: 2, resume: false, workFile: '/home/jobs/1.work.ndjson' }
const argvOf = (task: Exclude<JobTask, { kind: 'publish' }>, more = {}) =>
  jobCommand(task, { ...place, ...more }).argv

t.test('fields become flags; null and false leave a flag out', async (t) => {
  const spec = { stage: 'sft' as const, data: 'd', base: 'b', name: 'n', batch_size: 8, label_tokens: true, lora: null, overwrite: true, metadata: { a: 'b' } } // prettier-ignore
  const common = ['--json', '--home=/home', '--threads=2']
  const own = ['--data=d', '--base=b', '--name=n', '--batch-size=8', '--label-tokens']
  t.same(argvOf({ kind: 'train', spec }), ['sft', ...own, ...common])
  t.same(argvOf({ kind: 'train', spec }, { resume: true }).at(-1), '--resume')
})

t.test('a labelling that starts again replaces what the killed one may have written', async (t) => {
  const task = { kind: 'label' as const, spec: { data: 'd', apm: 'a', name: 'n' } }
  t.notOk(argvOf(task).includes('--overwrite'))
  t.ok(argvOf(task, { resume: true }).includes('--overwrite'))
  t.ok(argvOf(task).includes('--work-file=/home/jobs/1.work.ndjson'), 'and goes on from its rows')
})

t.test('every field of every spec is a flag that its command takes', async (t) => {
  const training = { epochs: 2, max_steps: 3, batch_size: 4, accumulate: 1, max_tokens: 9, lr: 0.1, lr_schedule: 'linear' as const, warmup_steps: 1, weight_decay: 0, clip_norm: 1, seed: 5, eval_every: 1, checkpoint_every: 1, label_dropout: 0.5, dtype: 'f16' as const } // prettier-ignore
  const tasks: Exclude<JobTask, { kind: 'publish' }>[] = [
    { kind: 'train', spec: { stage: 'sft', data: 'd', base: 'b', name: 'n', attributes: 'village', template: 'chat', lora: 2, alpha: 1, label_tokens: true, validation: 0.1, ...training } }, // prettier-ignore
    { kind: 'bootstrap', spec: { data: 'd', model: 'm', apm: 'a', name: 'n', samples: 1, mix: 1, top_k: 1, temperature: 1, concurrency: 1, ...training } }, // prettier-ignore
    { kind: 'label', spec: { data: 'd', apm: 'a', name: 'n', overwrite: true } },
    { kind: 'evaluate', spec: { type: 'apm', apm: 'a', data: 'd' } },
    { kind: 'evaluate', spec: { type: 'steering', model: 'm', apm: 'a', meters: 'village', prompts: 'p', limit: 1, levels: [0, 4], others: 'random', temperature: 1, prompt_only: 1, concurrency: 1, seed: 1 } }, // prettier-ignore
    { kind: 'import', spec: { path: 'p', name: 'n', attributes: 'village', quantize: 'f16' } },
    { kind: 'import', spec: { hub: 'town/guard@v1', name: 'n' } },
  ]
  for (const task of tasks) {
    const { command, argv } = jobCommand(task, { ...place, resume: true })
    const { run } = (await import(`../../src/commands/${command}.ts`)) as { run(argv: string[]): Promise<number> } // prettier-ignore
    // --help parses all flags and does nothing; an unknown one fails.
    t.capture(console, 'log')
    t.equal(await run([...argv, '--help']), 0, `${command} ${argv.join(' ')}`)
    await t.rejects(run([...argv, '--no-such-flag', '--help']), { code: 'BAD_ARGUMENT' })
  }
})
