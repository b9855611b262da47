/** `steerlm models` as a user calls it: what it prints, and how it refuses. */
import { join } from 'node:path'
import t from 'tap'
import { run } from '../../src/commands/models.ts'
import { pin } from '../../src/registry/served-pins.ts'
import { createTinyHome } from '../fixtures/tiny-home.ts'
import { runCli } from '../fixtures/run-cli.ts'

const tiny = createTinyHome(t.testdir())
const source = await tiny.model('tiny')

/** What the command prints, in this process. */
async function models(...args: string[]): Promise<string> {
  const lines: string[] = []
  const { log } = console
  console.log = (line: string) => lines.push(line)
  try {
    await run([...args, '--home', tiny.home])
  } finally {
    console.log = log
  }
  return lines.join('\n')
}

t.test('publish, alias, rollback, show and list follow each other', async (t) => {
  t.match(await models('publish', 'tiny', '--as', 'm', '--alias', 'prod'), /^m@1 @prod: \d+ bytes/)
  await models('publish', source, '--as', 'm', '--note', 'by path')
  t.equal(await models('alias', 'm', 'prod', '2'), 'm@prod → 2')
  t.match(await models('show', 'm@prod', '--verify'), /^m@2: language-model[^]*from tiny: by path[^]*@prod → 2 \(1, 2\)[^]*as they were published/) // prettier-ignore
  t.match(await models('show', 'm@1', '--card'), /# m/)
  t.equal(await models('rollback', 'm'), 'm@prod → 1')
  t.match(await models('list'), /^m@2 {2}from tiny {2}by path\nm@1 {2}@prod {2}from tiny\n/)
  t.match(await models('list'), /tiny {2}workspace language-model\nvillage {2}bundled/)
  const json = JSON.parse(await models('list', '--json'))
  t.equal(json.published[0].versions.length, 2)
})

t.test('delete protects what is in use', async (t) => {
  await models('publish', 'tiny', '--as', 'd', '--alias', 'prod')
  await models('publish', 'tiny', '--as', 'd')
  await t.rejects(models('delete', 'd@1'), { code: 'IN_USE', message: /"d@1" is d@prod/ })
  await t.rejects(models('delete', 'd'), { code: 'IN_USE' })
  await pin(tiny.home, 'd@2')
  await t.rejects(models('delete', 'd@2'), { code: 'IN_USE', message: /"d@2" is served/ })
  await models('alias', 'd', 'prod', '--remove')
  t.equal(await models('delete', 'd@1'), 'd@1 is deleted')
  await t.rejects(models('delete', 'd'), { code: 'IN_USE' }, 'a server serves d@2')
  t.equal(await models('delete', 'd', '--force'), 'd is deleted')
  await tiny.model('temporary')
  t.equal(await models('delete', 'temporary', '--workspace'), 'temporary is deleted')
  await t.rejects(models('delete', 'temporary', '--workspace'), { code: 'MODEL_NOT_FOUND' })
})

t.test('bad arguments say what was expected', async (t) => {
  const cases: [args: string[], message: RegExp][] = [
    [['explode'], /usage: steerlm models list/],
    [['alias', 'm', 'prod'], /number of a version, got ""/],
    [['publish', join(tiny.home, 'models', 'tiny')], /--as: a model given as a path needs a name/],
    [['show', '../x'], /No such model/],
    [['show', 'm@9'], /there are 1, 2|No such model/],
    [['publish', 'tiny', '--as', '../x'], /model name/],
  ]
  for (const [args, message] of cases) await t.rejects(models(...args), { message }, args.join(' '))
})

t.test('commands take names of published models', async (t) => {
  const { code, stderr, stdout } = await runCli(tiny.home, 'models', 'show', 'm@prod', '--json')
  t.equal(code, 0, stderr)
  t.match(JSON.parse(stdout), { model: 'm', version: 1 })
  await tiny.tokenRows('rows', [{ tokens: [1, 2, 3], first_loss_token: 1 }])
  const args = ['--data', 'rows', '--base', 'm@prod', '--name', 'out', '--max-steps', '1', '--threads', '1', '--json'] // prettier-ignore
  const trained = await runCli(tiny.home, 'train', 'sft', ...args)
  t.equal(trained.code, 0, trained.stderr)
  await models('publish', 'out', '--as', 'out')
  t.match(await models('show', 'out', '--card'), /\| 1 \| train sft \| m@1 \| rows \| 1 \|/)
})
