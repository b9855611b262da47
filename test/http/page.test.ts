import { readFile, readdir } from 'node:fs/promises'
import t from 'tap'
import { buildApp } from '../../src/app.ts'
import {
  roles,
  speakerNames,
  villageNames,
  weathers,
} from '../../src/datasets/village/world/roles.ts'
import { attributeSet } from '../../src/labels/attribute-sets.ts'
import { fakeLanguageModel } from '../services/fake-runtime.ts'

const app = await buildApp({ runtimes: [fakeLanguageModel(['x'])] })
t.teardown(() => app.close())
/** `import … from '…'` at the beginning of a line, over several lines too. */
const importPattern = /^import\s[^']*'([^']+)'/gm
const uiFolder = new URL('../../src/ui/', import.meta.url)
const readUiText = (name: string): Promise<string> => readFile(new URL(name, uiFolder), 'utf8')
const readUi = async (name: string) => JSON.parse(await readUiText(name))

t.test('the page and everything it names are served, from here only', async (t) => {
  const page = await app.inject('/')
  t.equal(page.statusCode, 200)
  t.match(page.headers['content-security-policy'], /default-src 'self'/)
  const names = [...page.payload.matchAll(/(?:src|href)="(\/[^"#]+)/g)].map((match) => match[1]!)
  t.ok(names.length > 5)
  for (const name of [...names, '/chat/people.json', '/chat/presets.json']) {
    t.equal((await app.inject(name)).statusCode, 200, name)
  }
  t.notMatch(page.payload, /https?:\/\//)
})

t.test('modules import only files that are there', async (t) => {
  const seen = new Set<string>()
  const visit = async (path: string): Promise<void> => {
    if (seen.has(path)) return
    seen.add(path)
    const response = await app.inject(path)
    t.equal(response.statusCode, 200, path)
    if (path.startsWith('/vendor/')) return
    for (const [, inner] of response.payload.matchAll(importPattern)) {
      await visit(new URL(inner!, `http://page${path}`).pathname)
    }
  }
  await visit('/main.js')
  t.ok(seen.has('/vendor/uplot.js'))
  const files = await readdir(uiFolder, { recursive: true })
  const modules = files.filter((name) => name.endsWith('.js')).map((name) => `/${name}`)
  t.same(modules.filter((name) => !seen.has(name)), [], 'every module is used') // prettier-ignore
})

t.test('every name that a module imports is exported there', async (t) => {
  const modules = (await readdir(uiFolder, { recursive: true })).filter((name) =>
    name.endsWith('.js'),
  )
  const sources = new Map<string, string>()
  for (const name of modules) sources.set(`/${name}`, await readUiText(name))
  for (const [path, source] of sources) {
    for (const [, list, from] of source.matchAll(/^import \{([^}]+)\} from '(\.[^']+)'/gm)) {
      const target = sources.get(new URL(from!, `http://page${path}`).pathname) ?? ''
      for (const name of list!
        .split(',')
        .map((one) => one.trim())
        .filter(Boolean)) {
        const pattern = new RegExp(
          `^export (?:async )?(?:const|let|class|function\\*?) ${name}\\b`,
          'm',
        )
        t.match(target, pattern, `${path} imports ${name} from ${from}`)
      }
    }
  }
})

t.test('nothing of the server becomes HTML', async (t) => {
  for (const name of await readdir(uiFolder, { recursive: true })) {
    if (!name.endsWith('.js')) continue
    t.notMatch(await readUiText(name), /innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(/, name) // prettier-ignore
  }
})

t.test('people speak as the village’s training data do', async (t) => {
  const intro = /^You are (\w+), the (\w+) of (\w+)\.(?: (.+))?$/
  for (const { id, name, system, questions } of await readUi('chat/people.json')) {
    t.ok(questions.length > 0, id)
    if (id === 'stranger') {
      t.equal(system, '')
      continue
    }
    const [, speaker, roleId, village, fact] = intro.exec(system) ?? []
    const role = roles.find((candidate) => candidate.id === roleId)
    t.equal(roleId, id)
    t.equal(speaker, name)
    t.ok(role && speakerNames(role).includes(name), `${name} may be a ${roleId}`)
    t.ok((villageNames as readonly string[]).includes(village!), village!)
    t.ok(fact === undefined || weathers.some((weather) => weather.fact === fact), fact ?? id)
  }
})

t.test('presets use attributes of the village within their range', async (t) => {
  const specs = attributeSet('village')
  for (const { name, values } of await readUi('chat/presets.json')) {
    t.same(Object.keys(values), specs.map((spec) => spec.name), name) // prettier-ignore
    t.ok(specs.every((spec) => values[spec.name] >= spec.min && values[spec.name] <= spec.max), name) // prettier-ignore
  }
})

t.test('/docs lists every operation of /openapi.json', async (t) => {
  const document = (await app.inject('/openapi.json')).json()
  const docs = await app.inject('/docs')
  t.match(docs.headers['content-type'], /text\/html/)
  for (const path of Object.keys(document.paths)) t.ok(docs.payload.includes(path), path)
})
