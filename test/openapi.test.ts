import { readFile } from 'node:fs/promises'
import t from 'tap'
import type { z } from 'zod'
import type { components } from '../schemas/openapi.d.ts'
import { generateTypes, generateYaml, typesFile, yamlFile } from '../scripts/generate-openapi.ts'
import { buildApp } from '../src/app.ts'
import { buildOpenApi, type namedSchemas, operations } from '../src/http/openapi.ts'
import { createMemoryNpcStore } from '../src/services/npcs/npc-store.ts'
import type { AdapterService } from '../src/services/adapters.ts'
import { createDatasets } from '../src/services/datasets.ts'
import { createFiles } from '../src/services/files.ts'
import type { FineTuning } from '../src/services/fine-tuning.ts'
import type { JobService } from '../src/services/job-service.ts'
import { fakeRegistry } from './services/fake-registry.ts'
import { fakeAuth } from './services/fake-auth.ts'
import { fakeLanguageModel } from './services/fake-runtime.ts'

/** Each may stand where the other is wanted. */
type Same<A, B> = [A] extends [B] ? ([B] extends [A] ? true : false) : false
type Api = components['schemas']
type Named = typeof namedSchemas

/** Does not compile when a generated type and its schema differ, or when one of them has no partner. */
const same: { [K in keyof Named | keyof Api]: Same<z.input<Named[K]>, Api[K]> } = {
  AdapterList: true,
  AdapterObject: true,
  LoadAdapterRequest: true,
  UnloadAdapterRequest: true,
  AliasRequest: true,
  ApplyTemplateRequest: true,
  ApplyTemplateResponse: true,
  DetokenizeRequest: true,
  DetokenizeResponse: true,
  TokenizeRequest: true,
  TokenizeResponse: true,
  AttributeList: true,
  AttributeSpec: true,
  BootstrapSpec: true,
  ChatCompletion: true,
  ChatCompletionChunk: true,
  ChatCompletionRequest: true,
  ChatLogprobs: true,
  ClientMessage: true,
  Completion: true,
  CompletionChunk: true,
  CompletionLogprobs: true,
  CompletionRequest: true,
  CreateFineTuningJob: true,
  CreateJobRequest: true,
  CreatePipelineRequest: true,
  CreatedJobs: true,
  Dataset: true,
  DatasetDeleted: true,
  DatasetList: true,
  DatasetRows: true,
  DatasetStatistics: true,
  Decision: true,
  DecisionAnswer: true,
  DecisionMessage: true,
  DecisionQuestion: true,
  DecisionRequest: true,
  EmbeddingList: true,
  EmbeddingRequest: true,
  InferenceError: true,
  InferenceHealth: true,
  InferenceModel: true,
  InferenceRequest: true,
  InferenceResponse: true,
  InferenceServer: true,
  DeletedModel: true,
  CreateKeyRequest: true,
  CreatedKey: true,
  ErrorResponse: true,
  EvaluateSpec: true,
  File: true,
  FileDeleted: true,
  FileList: true,
  FineTuningCheckpoint: true,
  FineTuningCheckpointList: true,
  FineTuningEvent: true,
  FineTuningEventList: true,
  FineTuningJob: true,
  FineTuningJobList: true,
  Health: true,
  ImportSpec: true,
  InputMessage: true,
  Job: true,
  JobDeleted: true,
  JobEvent: true,
  JobEventList: true,
  JobList: true,
  JobProgress: true,
  LabelSpec: true,
  Key: true,
  KeyList: true,
  Model: true,
  ModelList: true,
  Npc: true,
  NpcAction: true,
  NpcCreateRequest: true,
  NpcDefinition: true,
  NpcDeleted: true,
  NpcEventRequest: true,
  NpcExchange: true,
  NpcExchangeList: true,
  NpcInterruptRequest: true,
  NpcLine: true,
  NpcLineChunk: true,
  NpcList: true,
  NpcLoadRequest: true,
  NpcSave: true,
  NpcSayRequest: true,
  NpcState: true,
  NpcTemplateList: true,
  NpcUpdateRequest: true,
  MovedAlias: true,
  NewJobs: true,
  PipelineStep: true,
  PredictRequest: true,
  PredictResponse: true,
  PublishRequest: true,
  PublishSpec: true,
  PublishedVersion: true,
  QuarantineRow: true,
  QuarantineRows: true,
  Readiness: true,
  ResponseFormat: true,
  StructuredOutputs: true,
  RegistryAlias: true,
  RegistryDeleted: true,
  RegistryModel: true,
  RegistryModelList: true,
  RegistryVersion: true,
  ResponseDeleted: true,
  ResponseEvent: true,
  ResponseInputItem: true,
  ResponseItem: true,
  ResponseItemList: true,
  ResponseLogprob: true,
  ResponseObject: true,
  ResponseOutputMessage: true,
  ResponseOutputText: true,
  ResponseRequest: true,
  ResponseUsage: true,
  ServedModel: true,
  ServedModelList: true,
  Scope: true,
  ServerMessage: true,
  SteeringOptions: true,
  SteeringReport: true,
  TrainSpec: true,
  Usage: true,
  WorkspaceModel: true,
  WorkspaceModelList: true,
  UsageList: true,
  UsageRow: true,
}

const stale = 'is not stale (npm run generate)'

t.test(`openapi.yaml ${stale}`, async (t) => {
  t.equal(await readFile(yamlFile, 'utf8'), generateYaml())
})

t.test(`schemas/openapi.d.ts ${stale}`, async (t) => {
  const yaml = await readFile(yamlFile, 'utf8')
  t.equal(await readFile(typesFile, 'utf8'), await generateTypes(yaml))
})

t.test('every named schema is in the document, and every reference leads to one', async (t) => {
  const document = buildOpenApi()
  t.same(Object.keys(document.components.schemas).toSorted(), Object.keys(same).toSorted())
  const references = JSON.stringify(document).matchAll(/"\$ref":"([^"]+)"/g)
  for (const [, reference] of references) {
    const name = reference!.replace('#/components/schemas/', '')
    t.ok(name in document.components.schemas, reference!)
  }
})

t.test('the documented operations are the routes there are', async (t) => {
  const app = await buildApp({
    runtimes: [fakeLanguageModel([])],
    npcStore: createMemoryNpcStore(),
    datasets: createDatasets({ home: t.testdir() }),
    files: createFiles({ home: t.testdir() }),
    registry: fakeRegistry(),
    // Routes ask them nothing before a request comes.
    jobs: {} as JobService,
    fineTuning: {} as FineTuning,
    adapters: {} as AdapterService,
    auth: fakeAuth(),
  })
  t.teardown(() => app.close())
  for (const { method, path } of operations) {
    const url = path.replace(/\{(\w+)\}/g, ':$1')
    t.ok(app.hasRoute({ method: method.toUpperCase(), url }), `${method} ${path}`)
  }
  t.equal(
    new Set(operations.map(({ method, path }) => `${method} ${path}`)).size,
    operations.length,
  )
})
