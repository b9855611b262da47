/** One row of a data file, whatever the file's type: its value, or what is wrong with it. */

/** `line` counts from 1: lines of text files, rows of Parquet files and JSON arrays. `raw` is the row's text. */
export type FileRow =
  | { readonly line: number; readonly value: unknown; readonly raw: string }
  | { readonly line: number; readonly problem: string; readonly raw: string }

export type ValidRow = Extract<FileRow, { value: unknown }>

export const fileTypes = ['jsonl', 'json', 'csv', 'tsv', 'parquet'] as const
/** `jsonl`: one JSON value a line; `json`: one array of rows. */
export type FileType = (typeof fileTypes)[number]
