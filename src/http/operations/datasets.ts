/** Data sets. */
import {
  Dataset,
  DatasetFormat,
  DatasetDeleted,
  DatasetList,
  DatasetRows,
  DatasetStatistics,
  QuarantineRow,
  QuarantineRows,
} from '../../../schemas/datasets.ts'
import type { Operation } from './operation.ts'

export const datasetSchemas = {
  Dataset,
  DatasetDeleted,
  DatasetList,
  DatasetRows,
  DatasetStatistics,
  QuarantineRow,
  QuarantineRows,
} as const

const name = { name: 'name', in: 'path', description: 'The name of the data set' } as const
const page = [
  { name: 'offset', in: 'query', description: 'Rows before the page; 0 unless given' },
  { name: 'limit', in: 'query', description: 'The most rows, 1 to 1000; 20 unless given' },
] as const

export const datasetOperations: readonly Operation<keyof typeof datasetSchemas>[] = [
  {
    method: 'post',
    path: '/v1/datasets',
    summary: 'Upload a data set of any size; rows that are not valid are set aside',
    rawBody: {
      'application/x-ndjson': 'One row per line; other content types are read the same way',
      'application/gzip': 'The same, compressed',
      'multipart/form-data': 'The fields (name, format, …), then the file',
    },
    response: 'Dataset',
    status: 201,
    parameters: [
      { name: 'name', in: 'query', description: 'Letters, digits, . _ -; at most 100' },
      {
        name: 'format',
        in: 'query',
        description: `${DatasetFormat.options.join(', ')}; records unless given`,
      },
      {
        name: 'file_type',
        in: 'query',
        description: 'jsonl, json, csv, tsv or parquet; by the name and content unless given',
      },
      {
        name: 'map',
        in: 'query',
        description: 'For columns: prompt=question,response=answer,humor=funny',
      },
      {
        name: 'where',
        in: 'query',
        description: 'Only rows with these values: lang=en,split=train',
      },
      {
        name: 'attributes',
        in: 'query',
        description: 'A built-in attribute set that names and ranges have to fit',
      },
      { name: 'overwrite', in: 'query', description: 'true replaces a set of that name' },
    ],
    errors: [409, 413, 507],
  },
  { method: 'get', path: '/v1/datasets', summary: 'The data sets', response: 'DatasetList' },
  {
    method: 'get',
    path: '/v1/datasets/{name}',
    summary: 'One data set',
    response: 'Dataset',
    parameters: [name],
    errors: [404],
  },
  {
    method: 'get',
    path: '/v1/datasets/{name}/rows',
    summary: 'A page of its rows',
    response: 'DatasetRows',
    parameters: [name, ...page],
    errors: [404],
  },
  {
    method: 'get',
    path: '/v1/datasets/{name}/stats',
    summary: 'Histograms, means, spreads and correlations of its attributes',
    response: 'DatasetStatistics',
    parameters: [name],
    errors: [404],
  },
  {
    method: 'get',
    path: '/v1/datasets/{name}/quarantine',
    summary: 'A page of the rows that were not valid, with the reasons',
    response: 'QuarantineRows',
    parameters: [name, ...page],
    errors: [404],
  },
  {
    method: 'get',
    path: '/v1/datasets/{name}/download',
    summary: 'All rows as a file',
    response: null,
    rawResponse: ['application/x-ndjson'],
    parameters: [
      name,
      { name: 'format', in: 'query', description: 'records or nemo; records unless given' },
    ],
    errors: [404],
  },
  {
    method: 'delete',
    path: '/v1/datasets/{name}',
    summary: 'Delete a data set that no job uses',
    response: 'DatasetDeleted',
    parameters: [name],
    errors: [404, 409],
  },
]
