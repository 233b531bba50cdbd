import { createHash } from 'node:crypto'
import { createReadStream, existsSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { pipeline } from 'node:stream/promises'
import { imagesOf } from '../data.ts'
import { journalFiles } from '../journal/database-file.ts'
import { fromJson, toJson } from '../journal/encoding.ts'
import type { JournalRecord } from '../journal/journal.ts'
import { openSqliteJournal, readJournal } from '../journal/sqlite-journal.ts'
import { Type } from '../lib/schema.ts'
import { judge } from '../redfish/validation.ts'

const DIGEST = /^[0-9a-f]{64}$/
/** What the first line of an export says. */
const FORMAT = 'redflash-data'
const FORMAT_VERSION = 1

const Line = Type.Object(
  { owner: Type.String(), table: Type.String(), key: Type.String(), value: Type.Unsafe<unknown>({}) },
  { additionalProperties: false },
)
const judgeLine = judge(Line)

type Out = Pick<NodeJS.WriteStream, 'write'>

/** `redflash data check`: 0 where a service can start with what is there, and nothing that it needs is missing. */
export async function check(folder: string, out: Out): Promise<number> {
  const { database, images } = journalFiles(folder)
  const records: JournalRecord[] = []
  const version = await readJournal(folder, (record) => void records.push(record))
  // What is nobody's is the fleet's.
  const owners = new Set(records.map(({ owner }) => owner).filter((owner) => owner !== ''))
  out.write(`${database}: version ${version}, ${owners.size} BMC(s), ${records.length} record(s)\n`)
  const tables = Map.groupBy(records, ({ table }) => table)
  for (const table of [...tables.keys()].toSorted()) {
    out.write(`  ${table.padEnd(20)}${tables.get(table)?.length}\n`)
  }
  const needed = imagesOf(records)
  const present = imagesAt(images)
  const wrong = await damaged(images, present)
  const missing = [...needed].filter((sha256) => !present.has(sha256))
  const unknown = [...present].filter((sha256) => !needed.has(sha256))
  out.write(`${images}: ${present.size} image(s)\n`)
  const found = { damaged: wrong, missing, 'needed by nobody': unknown }
  for (const [what, digests] of Object.entries(found))
    for (const sha256 of digests) out.write(`  ${sha256} is ${what}\n`)
  return wrong.length + missing.length > 0 ? 1 : 0
}

/** `redflash data export`: a line that says what follows, then a line for each record. */
export async function exportData(folder: string, out: NodeJS.WritableStream): Promise<void> {
  const records: JournalRecord[] = []
  await readJournal(folder, (record) => void records.push(record))
  const lines = function* (): Iterable<string> {
    yield `${JSON.stringify({ format: FORMAT, version: FORMAT_VERSION, records: records.length })}\n`
    for (const { value, ...name } of records) yield `${JSON.stringify({ ...name, value: toJson(value) })}\n`
  }
  try {
    await pipeline(lines, out, { end: false })
  } catch (error) {
    // Whoever reads has read enough.
    if (!(error instanceof Error && 'code' in error && error.code === 'EPIPE')) throw error
  }
}

/** `redflash data import`: how many records came. All of them, or none. */
export async function importData(folder: string, input: NodeJS.ReadableStream): Promise<number> {
  const records: JournalRecord[] = []
  let number = 0
  let announced: unknown
  for await (const line of createInterface({ input, crlfDelay: Infinity })) {
    number++
    if (number === 1) announced = announcedBy(line)
    else records.push(recordOf(line, number))
  }
  if (number === 0) announcedBy('')
  if (records.length !== announced)
    throw new Error(
      `there are ${records.length} records of ${String(announced)}: this is not all that was exported`,
    )
  const { images } = journalFiles(folder)
  const others = existsSync(folder) ? readdirSync(folder).filter((name) => join(folder, name) !== images) : []
  if (others.length > 0) throw new Error(`${folder} is not empty: ${others.join(', ')}`)
  const journal = await openSqliteJournal(folder, { sync: 'full', failed: () => {} })
  try {
    for (const record of records) journal.write(record)
    journal.flush()
  } finally {
    journal.close()
  }
  return records.length
}

/** How many records follow, as the first line says; throws an Error where that says something else. */
function announcedBy(line: string): unknown {
  const { format, version, records } = parsed(line, 1) as Partial<Record<string, unknown>>
  if (format !== FORMAT) throw new Error('line 1: this is nothing that data export printed')
  if (version !== FORMAT_VERSION) throw new Error(`line 1: this is version ${String(version)}, known is 1`)
  return records
}

function recordOf(line: string, number: number): JournalRecord {
  const judged = judgeLine(parsed(line, number))
  if (!judged.ok) throw new Error(`line ${number}: no record`)
  return { ...judged.value, value: fromJson(judged.value.value) }
}

function parsed(line: string, number: number): object {
  try {
    const data: unknown = JSON.parse(line)
    if (typeof data === 'object' && data !== null) return data
  } catch {
    // Told below, by its number.
  }
  throw new Error(`line ${number}: no JSON object`)
}

function imagesAt(folder: string): ReadonlySet<string> {
  const names = existsSync(folder) ? readdirSync(folder) : []
  return new Set(names.filter((name) => DIGEST.test(name) && statSync(join(folder, name)).isFile()))
}

/** Those whose bytes are not what their names say. */
async function damaged(folder: string, names: ReadonlySet<string>): Promise<string[]> {
  const wrong: string[] = []
  for (const name of names) {
    const hash = createHash('sha256')
    await pipeline(createReadStream(join(folder, name)), hash)
    if (hash.digest('hex') !== name) wrong.push(name)
  }
  return wrong
}
