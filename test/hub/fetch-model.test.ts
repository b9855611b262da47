/** Downloads from a hub on loopback that behaves, and from hubs that do not. */
import { mkdir, readFile, readdir, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { fetchModel } from '../../src/hub/fetch-model.ts'
import { hubSettings } from '../../src/hub/hub-settings.ts'
import { COMMIT, startFakeHub, type FakeHub, type FakeHubOptions } from '../fixtures/fake-hub.ts'

const text = (content: string): Uint8Array => Buffer.from(content)
const weights = (size: number): Uint8Array => Uint8Array.from({ length: size }, (_, i) => (i * 7) % 251) // prettier-ignore

const single = {
  'config.json': text('{"a": 1}'),
  'tokenizer.json': text('{}'),
  'README.md': text('not needed'),
  'pytorch_model.bin': weights(100),
  'onnx/model.onnx': weights(100),
  'model.safetensors': weights(300_000),
}
const shards = {
  'config.json': text('{}'),
  'tokenizer.json': text('{}'),
  'model.safetensors.index.json': text('{"weight_map": {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}}'), // prettier-ignore
  'model-00001-of-00002.safetensors': weights(70_000),
  'model-00002-of-00002.safetensors': weights(80_000),
  'model-00003-of-00002.safetensors': weights(10),
}
const retries = { attempts: 3, pauseMs: 1, idleMs: 2000 }

interface Place {
  readonly hub: FakeHub
  readonly home: string
  fetch(id?: string, env?: NodeJS.ProcessEnv, check?: (dir: string) => Promise<void>): ReturnType<typeof fetchModel> // prettier-ignore
}

async function place(t: Test, options: FakeHubOptions): Promise<Place> {
  const hub = await startFakeHub(options)
  t.teardown(() => hub.close())
  const home = t.testdir()
  return {
    hub,
    home,
    fetch: (id = 'town/guard', env = {}, check = async () => {}) =>
      fetchModel(id, {
        settings: hubSettings({ HF_ENDPOINT: hub.url, ...env }, home),
        check,
        retries,
      }),
  }
}

async function checkFolder(
  t: Test,
  dir: string,
  files: Record<string, Uint8Array>,
  names: string[],
) {
  t.same((await readdir(dir)).sort(), names.toSorted())
  for (const name of names) t.ok((await readFile(join(dir, name))).equals(files[name]!), name)
}

t.test('only what a model folder is made of comes, pinned to a commit', async (t) => {
  const { hub, home, fetch } = await place(t, { files: single })
  const fetched = await fetch()
  t.match(fetched, { repo: 'town/guard', revision: 'main', commit: COMMIT })
  t.equal(fetched.dir, join(home, 'hub/models--town--guard/snapshots', COMMIT))
  await checkFolder(t, fetched.dir, single, ['config.json', 'tokenizer.json', 'model.safetensors'])
  t.same(await readdir(join(home, 'hub/models--town--guard/blobs')), [])
  t.equal(await readFile(join(home, 'hub/models--town--guard/refs/main'), 'utf8'), COMMIT)
  const asked = hub.seen.filter(({ path }) => path.includes('/resolve/')).map(({ path }) => path)
  t.ok(asked.length === 3 && asked.every((path) => path.includes(`/resolve/${COMMIT}/`)))

  await t.test('a second import asks for no file again', async (t) => {
    const before = hub.seen.length
    await fetch('town/guard@v1.0')
    t.equal(hub.seen.length, before + 1)
    t.equal(await readFile(join(home, 'hub/models--town--guard/refs/v1.0'), 'utf8'), COMMIT)
  })

  await t.test('offline the cache must do, and does', async (t) => {
    const before = hub.seen.length
    const offline = { HF_HUB_OFFLINE: '1' }
    t.equal((await fetch('town/guard', offline)).dir, fetched.dir)
    t.equal((await fetch(`town/guard@${COMMIT}`, offline)).dir, fetched.dir)
    await t.rejects(fetch('town/guard@other', offline), { code: 'MODEL_NOT_FOUND', detail: /HF_HUB_OFFLINE is set, and town\/guard@other is not in/ }) // prettier-ignore
    t.equal(hub.seen.length, before, 'nobody was asked')
  })
})

t.test('shards come as the index says, whatever else lies there', async (t) => {
  const { fetch } = await place(t, { files: shards, terse: true })
  const { dir } = await fetch('hf://town/guard@refs/pr/7')
  await checkFolder(t, dir, shards, Object.keys(shards).filter((name) => !name.includes('00003'))) // prettier-ignore
})

t.test('sizes and hashes come from the files themselves where no list tells them', async (t) => {
  const lies = { 'model.safetensors': weights(300_000).map((value) => value ^ 1) }
  const honest = await place(t, { files: single, mute: true })
  await checkFolder(t, (await honest.fetch()).dir, single, ['config.json', 'tokenizer.json', 'model.safetensors']) // prettier-ignore
  const liar = await place(t, { files: single, mute: true, lies })
  await t.rejects(liar.fetch(), { code: 'BAD_FILE', detail: /model\.safetensors: expected sha256/ })
})

t.test('a connection that is cut again and again goes on where it was', async (t) => {
  const { hub, fetch } = await place(t, { files: single, cutAfter: 100_000 })
  const { dir } = await fetch()
  await checkFolder(t, dir, single, ['config.json', 'tokenizer.json', 'model.safetensors'])
  const ranges = hub.seen.filter(({ storage }) => storage).map(({ range }) => range)
  t.equal(ranges.length, 3)
  t.equal(ranges[0], undefined)
  const starts = ranges.slice(1).map((range) => Number(/(\d+)/.exec(range!)![1]))
  t.ok(starts[0]! > 0 && starts[1]! > starts[0]!, `from ${starts.join(' and ')}`)
})

t.test('what an earlier process left is gone on with', async (t) => {
  const { hub, home, fetch } = await place(t, { files: single })
  const blobs = join(home, 'hub/models--town--guard/blobs')
  await mkdir(blobs, { recursive: true })
  const partial = join(blobs, `${COMMIT}.model.safetensors.incomplete`)
  await writeFile(partial, weights(300_000).subarray(0, 123_456))
  const { dir } = await fetch()
  await checkFolder(t, dir, single, ['config.json', 'tokenizer.json', 'model.safetensors'])
  t.equal(hub.seen.find(({ storage }) => storage)!.range, 'bytes=123456-')

  await t.test(
    'unless it is spoilt: then it is refused, and the next import begins anew',
    async (t) => {
      const other = await place(t, { files: single })
      const folder = join(other.home, 'hub/models--town--guard/blobs')
      await mkdir(folder, { recursive: true })
      await writeFile(join(folder, `${COMMIT}.model.safetensors.incomplete`), new Uint8Array(1000).fill(9)) // prettier-ignore
      await t.rejects(other.fetch(), { code: 'BAD_FILE', detail: /expected sha256/ })
      await checkFolder(t, (await other.fetch()).dir, single, ['config.json', 'tokenizer.json', 'model.safetensors']) // prettier-ignore
    },
  )
})

t.test('a hub that knows no ranges sends the whole file again', async (t) => {
  const { home, fetch } = await place(t, { files: single, ignoreRanges: true })
  const blobs = join(home, 'hub/models--town--guard/blobs')
  await mkdir(blobs, { recursive: true })
  await writeFile(join(blobs, `${COMMIT}.model.safetensors.incomplete`), weights(1000))
  await checkFolder(t, (await fetch()).dir, single, ['config.json', 'tokenizer.json', 'model.safetensors']) // prettier-ignore
})

t.test('lies are refused and leave nothing that could be taken for the file', async (t) => {
  const cases: [string, Record<string, Uint8Array>, RegExp][] = [
    ['other bytes', { 'model.safetensors': weights(300_001).subarray(1) }, /model\.safetensors: expected sha256 \w+, got/], // prettier-ignore
    ['more bytes', { 'model.safetensors': weights(400_000) }, /expected 300000 bytes, more came/],
    ['a longer small file', { 'tokenizer.json': text('{"a": 1}') }, /tokenizer\.json: expected 2 bytes, more came/], // prettier-ignore
  ]
  for (const [what, lies, detail] of cases) {
    const { home, fetch } = await place(t, { files: single, lies })
    await t.rejects(fetch(), { code: 'BAD_FILE', detail }, what)
    const dir = join(home, 'hub/models--town--guard')
    t.notOk((await readdir(join(dir, 'snapshots', COMMIT))).includes(Object.keys(lies)[0]!))
    t.same(await readdir(join(dir, 'blobs')), [])
  }
  const short = await place(t, { files: single, lies: { 'model.safetensors': weights(1000) } })
  await t.rejects(short.fetch(), { code: 'HUB_UNAVAILABLE', detail: /expected 300000 bytes|no bytes from/ }) // prettier-ignore
})

t.test('names with tricks are refused, in the list and in the index', async (t) => {
  for (const name of ['../../evil.json', '/etc/passwd', 'a/../../b', 'a\\b', 'c\u0000d', 'a//b']) {
    const { home, fetch } = await place(t, { files: single, listed: [name] })
    await t.rejects(fetch(), { code: 'BAD_FILE', detail: /the hub lists a file of the name/ }, name)
    t.same(await readdir(home), [])
  }
  const index = text('{"weight_map": {"a": "../../../outside.safetensors"}}')
  const { home, fetch } = await place(t, { files: { ...shards, 'model.safetensors.index.json': index } }) // prettier-ignore
  await t.rejects(fetch(), { code: 'BAD_CHECKPOINT', detail: /got "\.\.\/\.\.\/\.\.\/outside/ })
  await t.rejects(stat(join(home, 'outside.safetensors')))
})

t.test('the token goes to the hub and to nobody else', async (t) => {
  const { hub, fetch } = await place(t, { files: single, token: 'hf_secret' })
  await fetch('town/guard', { HF_TOKEN: 'hf_secret' })
  for (const { storage, authorization } of hub.seen) {
    t.equal(authorization, storage ? undefined : 'Bearer hf_secret')
  }
  t.ok(hub.seen.some(({ storage }) => storage))
})

t.test('refusals say what to do', async (t) => {
  const refused = async (
    options: Partial<FakeHubOptions>,
    id: string,
    error: { code: string; detail: RegExp },
  ) => {
    const { fetch } = await place(t, { files: single, ...options })
    await t.rejects(fetch(id), error)
  }
  await refused({}, 'town/nobody', { code: 'MODEL_NOT_FOUND', detail: /no such model on the hub, or it is private; HF_TOKEN is not set/ }) // prettier-ignore
  await refused({}, 'town/guard@nope', { code: 'MODEL_NOT_FOUND', detail: /no such revision/ })
  await refused({ gated: true, token: 'x' }, 'town/guard', { code: 'HUB_FORBIDDEN', detail: /gated: ask for access/ }) // prettier-ignore
  await refused({ files: { 'config.json': text('{}') } }, 'town/guard', { code: 'BAD_CHECKPOINT', detail: /no tokenizer\.json/ }) // prettier-ignore
  for (const id of ['town/a/b', '../x/y', 'town/..', 'town/guard@a..b', 'a@b@c', 'hf://']) {
    await refused({}, id, { code: 'BAD_ARGUMENT', detail: /expected owner\/name/ })
  }
})

t.test('a busy hub is asked again, a dead one is given up', async (t) => {
  const busy = await place(t, { files: single, busy: 2 })
  await busy.fetch()
  const { fetch } = await place(t, { files: single })
  const error = { code: 'HUB_UNAVAILABLE', detail: /ECONNREFUSED/ }
  await t.rejects(fetch('town/guard', { HF_ENDPOINT: 'http://127.0.0.1:9399' }), error)
})

t.test('what the check refuses costs no weights', async (t) => {
  const { hub, fetch } = await place(t, { files: single })
  const check = async (dir: string) => {
    throw new Error(`no: ${(await readdir(dir)).sort().join()}`)
  }
  await t.rejects(fetch('town/guard', {}, check), { message: 'no: config.json,tokenizer.json' })
  t.notOk(hub.seen.some(({ storage }) => storage))
})

t.test('variables place the cache and the hub', async (t) => {
  t.match(hubSettings({}, '/home'), { endpoint: 'https://huggingface.co', cacheDir: '/home/hub', offline: false }) // prettier-ignore
  t.equal(hubSettings({ HF_HOME: '/hf' }, '/home').cacheDir, '/hf/hub')
  t.equal(hubSettings({ HF_HUB_CACHE: '/c', HF_HOME: '/hf' }, '/home').cacheDir, '/c')
  t.equal(hubSettings({ HF_ENDPOINT: 'http://mirror/hf/' }, '/home').endpoint, 'http://mirror/hf')
  t.equal(hubSettings({ HF_HUB_OFFLINE: 'yes' }, '/home').offline, true)
  t.throws(() => hubSettings({ HF_ENDPOINT: 'file:///etc' }, '/home'), { code: 'BAD_ARGUMENT' })
})
