/** `steerlm import OWNER/NAME` as a user calls it: killed and called again, pinned, offline, and what it says when it fails. */
import { readFile, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { readManifest } from '../../src/registry/model-folder.ts'
import { COMMIT, startFakeHub, type FakeHubOptions } from '../fixtures/fake-hub.ts'
import { startCli } from '../fixtures/run-cli.ts'
import { createTinyHome } from '../fixtures/tiny-home.ts'

async function tinyFiles(t: Test, changes = {}): Promise<Record<string, Uint8Array>> {
  const dir = await createTinyHome(t.testdir()).model('guard', changes)
  const names = await readdir(dir)
  return Object.fromEntries(
    await Promise.all(names.map(async (name) => [name, await readFile(join(dir, name))] as const)),
  )
}

/** A hub, an empty data folder, and the command line against both. */
async function place(t: Test, options: FakeHubOptions) {
  const hub = await startFakeHub(options)
  t.teardown(() => hub.close())
  const home = t.testdir()
  const start = (args: readonly string[], env: NodeJS.ProcessEnv = {}) =>
    startCli(home, ['import', ...args], { env: { HF_ENDPOINT: hub.url, ...env } })
  const models = () => readdir(join(home, 'models')).catch(() => [])
  return { hub, home, start, models }
}

t.test('a model of the hub is imported, its commit noted; then it needs no network', async (t) => {
  const files = await tinyFiles(t)
  const { hub, home, start, models } = await place(t, { files, token: 'hf_x' })
  const env = { HF_TOKEN: 'hf_x' }
  const { code, stdout, stderr } = await start(['town/guard@v1.0', '--json'], env).ended
  t.equal(code, 0, stderr)
  const source = { hub: 'town/guard', revision: 'v1.0', commit: COMMIT, endpoint: hub.url }
  t.match(JSON.parse(stdout), { name: 'guard', architecture: 'LlamaForCausalLM', source })
  const dir = join(home, 'models/guard')
  t.same((await readManifest(dir)).source, source)
  for (const name of ['model.safetensors', 'tokenizer.json']) {
    t.ok((await readFile(join(dir, name))).equals(files[name]!), name)
  }
  const before = hub.seen.length
  const again = await start(['town/guard@v1.0', '--name', 'second'], { HF_HUB_OFFLINE: '1' }).ended
  t.equal(again.code, 0, again.stderr)
  t.equal(hub.seen.length, before)
  t.same(await models(), ['guard', 'second'])
  const absent = await start(['town/other'], { HF_HUB_OFFLINE: '1' }).ended
  t.equal(absent.code, 2)
  t.match(absent.stderr, /^steerlm: No such model: HF_HUB_OFFLINE is set, and town\/other@main is not in .*\n$/) // prettier-ignore
})

t.test('an import that is killed goes on where it was', async (t) => {
  // Large enough to be caught in the middle.
  const files = await tinyFiles(t, { hidden_size: 128, intermediate_size: 1024 })
  const size = files['model.safetensors']!.length
  const { hub, home, start, models } = await place(t, { files, slowMs: 30 })
  const blobs = join(home, 'hub/models--town--guard/blobs')
  const killed = start(['town/guard'])
  for (;;) {
    const partial = join(blobs, `${COMMIT}.model.safetensors.incomplete`)
    const bytes = (await readFile(partial).catch(() => Buffer.alloc(0))).length
    if (bytes > size / 4) break
    if (killed.child.exitCode !== null) throw new Error('it ended before it could be killed')
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  killed.child.kill('SIGKILL')
  await killed.ended
  t.same(await models(), [])
  const before = hub.seen.length
  const { code, stderr } = await start(['town/guard']).ended
  t.equal(code, 0, stderr)
  const asked = hub.seen.slice(before).filter(({ storage }) => storage)
  t.equal(asked.length, 1)
  const from = Number(/^bytes=(\d+)-$/.exec(asked[0]!.range ?? '')?.[1])
  t.ok(from > size / 4, `${from} of ${size} bytes were there`)
  const imported = await readFile(join(home, 'models/guard/model.safetensors'))
  t.ok(imported.equals(files['model.safetensors']!))
})

t.test('what cannot be imported is one line, exit code 2, and no model', async (t) => {
  const files = await tinyFiles(t)
  const foreign = Buffer.from(JSON.stringify({ architectures: ['MambaForCausalLM'] }))
  const cases: [string, Partial<FakeHubOptions>, RegExp][] = [
    ['town/nobody', {}, /No such model: .*town\/nobody.*no such model on the hub/],
    ['town/guard', { token: 'hf_other' }, /no such model on the hub, or it is private/],
    ['town/guard', { gated: true, token: 'hf_other' }, /The model hub refuses: .*gated/],
    ['town/guard', { files: { ...files, 'config.json': foreign } }, /Mamba.*LlamaForCausalLM.*Qwen3ForCausalLM/], // prettier-ignore
    ['town/guard', { lies: { 'model.safetensors': Buffer.alloc(files['model.safetensors']!.length) } }, /expected sha256/], // prettier-ignore
  ]
  for (const [id, options, message] of cases) {
    const { hub, start, models } = await place(t, { files, ...options })
    const { code, stdout, stderr } = await start([id]).ended
    t.equal(code, 2, stderr)
    t.equal(stdout, '')
    const lines = stderr.trim().split('\n').filter((line) => !line.startsWith('town/guard ')) // prettier-ignore
    t.equal(lines.length, 1, stderr)
    t.match(lines[0], message)
    t.same(await models(), [])
    if (!options.lies)
      t.notOk(
        hub.seen.some(({ storage }) => storage),
        'no weights were asked for',
      )
  }
})
