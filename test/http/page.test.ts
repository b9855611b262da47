import { readFile } from 'node:fs/promises'
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
const readUi = async (name: string) =>
  JSON.parse(await readFile(new URL(`../../src/ui/${name}`, import.meta.url), 'utf8'))

t.test('the page and everything it names are served, from here only', async (t) => {
  const page = await app.inject('/')
  t.equal(page.statusCode, 200)
  t.match(page.headers['content-security-policy'], /default-src 'self'/)
  const names = [...page.payload.matchAll(/(?:src|href)="(\/[^"#]+)/g)].map((match) => match[1]!)
  t.ok(names.length > 5)
  for (const name of [...names, '/characters.json', '/presets.json']) {
    t.equal((await app.inject(name)).statusCode, 200, name)
  }
  t.notMatch(page.payload, /https?:\/\//)
})

t.test('modules import only files that are there', async (t) => {
  const seen = new Set<string>()
  const visit = async (name: string): Promise<void> => {
    if (seen.has(name)) return
    seen.add(name)
    const response = await app.inject(`/${name}`)
    t.equal(response.statusCode, 200, name)
    for (const [, inner] of response.payload.matchAll(/from '\.\/([\w.-]+)'/g)) await visit(inner!)
  }
  await visit('main.js')
  t.ok(seen.size >= 5)
})

t.test('characters speak as the village’s training data do', async (t) => {
  const intro = /^You are (\w+), the (\w+) of (\w+)\.(?: (.+))?$/
  for (const { id, name, system, questions } of await readUi('characters.json')) {
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
  for (const { name, values } of await readUi('presets.json')) {
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
