/** What a user does wrong on the command line: exit code 2, one line that says what was expected. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { runCli } from '../fixtures/run-cli.ts'
import { createTinyHome, drawTokenRows, VOCABULARY } from '../fixtures/tiny-home.ts'

const tiny = createTinyHome(t.testdir())
const fresh = ['--config', tiny.config(), '--tokenizer', tiny.tokenizer]
const notJson = join(tiny.home, 'not.json')
writeFileSync(notJson, '{"vocab_size": ')

const [first, ...others] = drawTokenRows(3)
await tiny.tokenRows('good', [first!, ...others])
await tiny.tokenRows('long', [
  first!,
  { tokens: Array.from({ length: 34 }, (_, i) => i), first_loss_token: 1 },
])
await tiny.tokenRows('foreign', [first!, { tokens: [1, VOCABULARY], first_loss_token: 1 }])
await tiny.model('plain')

const train = (...args: string[]) => ['train', 'pretrain', '--name', 'out', ...args]

const cases: Readonly<Record<string, [args: string[], line: RegExp]>> = {
  'an unknown command': [['tran'], /unknown command "tran"; expected one of serve, .*train/],
  'a command that every object has': [['constructor'], /unknown command "constructor"/],
  'an unknown flag': [train('--data', 'good', '--lerning-rate', '1'), /'--lerning-rate'.*--help/],
  'a number that is none': [
    train('--data', 'good', '--lr', 'fast'),
    /--lr: expected a number, got "fast"/,
  ],
  'a number out of range': [
    train('--data', 'good', '--batch-size', '0'),
    /--batch-size: expected at least 1/,
  ],
  'a Python that is not there': [
    ['bench', 'train', '--peers', '--python', './no-python'],
    /--python \.\/no-python: spawn .*ENOENT/,
  ],
  'a missing flag': [train(), /--data: is needed/],
  'an unknown kind of training': [
    ['train', 'rlhf', '--data', 'good', '--name', 'x'],
    /expected pretrain, apm or sft, got "rlhf"/,
  ],
  'an unknown data set': [train('--data', 'absent', ...fresh), /No such data set: .*absent/],
  'an unknown base': [
    train('--data', 'good', '--base', 'absent'),
    /No such model: "absent"; .*plain/,
  ],
  'no base at all': [train('--data', 'good'), /--base: expected a model/],
  'a name that leaves the folder': [
    ['train', 'pretrain', '--data', 'good', '--name', '../x', ...fresh],
    /model name "\.\.\/x"/,
  ],
  'a configuration that is no JSON': [
    train('--data', 'good', '--config', notJson, '--tokenizer', tiny.tokenizer),
    /--config: .*not\.json: not JSON/,
  ],
  'a row longer than the context': [
    train('--data', 'long', ...fresh),
    /row is longer than the context: row 2 has 34 tokens; at most 33 fit/,
  ],
  'a token outside the vocabulary': [
    train('--data', 'foreign', ...fresh),
    /row 2: token 259; the vocabulary has 259 tokens/,
  ],
  'an adapter that is not there': [
    [
      'train',
      'sft',
      '--data',
      'good',
      '--name',
      'x',
      '--base',
      'plain',
      '--init-adapter',
      '/nowhere',
    ],
    /\/nowhere\/adapter_config\.json: cannot be read/,
  ],
  'a folder that is no model': [['import', tiny.tokenizer], /config\.json: cannot be read/],
  'a file that is not there': [
    ['data', 'import', '/nowhere.jsonl', '--format', 'records', '--name', 'x'],
    /\/nowhere\.jsonl/,
  ],
}

t.jobs = 2
for (const [name, [args, line]] of Object.entries(cases)) {
  t.test(`${name} is exit code 2 and one line`, async (t) => {
    const { code, stdout, stderr } = await runCli(tiny.home, ...args)
    t.match(stderr, line)
    t.match(stderr, /^steerlm: [^\n]+\n$/, 'one line')
    t.equal(stdout, '')
    t.equal(code, 2)
  })
}

t.test('help is on standard output and not an error; no command is', async (t) => {
  const { code, stdout, stderr } = await runCli(tiny.home, '--help')
  t.match({ code, stderr }, { code: 0, stderr: '' })
  t.match(stdout, /usage: steerlm <command>[^]*\n {2}train /)
  t.match(await runCli(tiny.home), { code: 2, stdout: /usage: steerlm/ })
  const help = await runCli(tiny.home, 'train', '--help')
  t.match(help, { code: 0, stderr: '', stdout: /--lr-schedule .*constant \| linear \| cosine/ })
})
