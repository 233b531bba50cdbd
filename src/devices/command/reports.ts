import { fail, type Result, succeed } from '../../lib/result.ts'
import { type TSchema, Type } from '../../lib/schema.ts'
import { isObject } from '../../redfish/resource.ts'
import { judge } from '../../redfish/validation.ts'
import { textOf } from './facts.ts'

export const kindsOfDevices = [
  'unreachable',
  'untrusted',
  'unauthorized',
  'unsupported',
  'busy',
  'failed',
] as const
export const kindsOfStages = ['corrupt', 'no-power', 'nothing-installed'] as const

/** Why a program did not do what it was asked for, as it says, or as is said of it. */
export interface CommandProblem {
  readonly kind: (typeof kindsOfDevices)[number] | (typeof kindsOfStages)[number]
  readonly detail: string
}

/** What a line of a program means. */
export type Report<T> =
  | { readonly kind: 'under-way'; readonly share?: number | undefined; readonly message?: string | undefined }
  | { readonly kind: 'end'; readonly result: Result<T, CommandProblem> }

/** Reads what the last line holds beside `ok`, where that is true. */
export type Reader<T> = (members: unknown) => Result<T, string>

const closed = { additionalProperties: false }

const readUnderWay = readerOf(
  Type.Object(
    {
      progress: Type.Optional(Type.Number({ minimum: 0, maximum: 1 })),
      message: Type.Optional(Type.String()),
    },
    closed,
  ),
)
const readFailure = readerOf(
  Type.Object(
    {
      kind: Type.Unsafe<CommandProblem['kind']>({ enum: [...kindsOfDevices, ...kindsOfStages] }),
      detail: Type.String(),
    },
    closed,
  ),
)
/** Of an operation that tells nothing but that it is done. */
export const readNothing = readerOf(Type.Object({}, closed))
export const readVersion = readerOf(
  // It is shown: what nobody can read is none.
  Type.Object({ version: Type.Optional(Type.String({ maxLength: 1_024, pattern: '^\\P{Cc}*$' })) }, closed),
)

/** What a line says, or what is wrong with it. */
export function readReport<T>(line: string, good: Reader<T>): Result<Report<T>, string> {
  const data = parsed(line)
  if (!isObject(data)) return fail('it is no JSON object')
  const { ok, ...members } = data
  if (ok === undefined)
    return map(readUnderWay(members), (report) => ({ kind: 'under-way', ...renamed(report) }))
  if (ok === true) return map(good(members), (value) => ({ kind: 'end', result: succeed(value) }))
  if (ok === false) return map(readFailure(members), (problem) => ({ kind: 'end', result: fail(problem) }))
  return fail('/ok: expected true or false')
}

function renamed({ progress, message }: { readonly progress?: number; readonly message?: string }) {
  return { share: progress, message }
}

function parsed(line: string): unknown {
  try {
    return JSON.parse(line)
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}

function map<T, U>(result: Result<T, string>, change: (value: T) => U): Result<U, string> {
  return result.ok ? succeed(change(result.value)) : result
}

function readerOf<S extends TSchema>(schema: S) {
  const judged = judge(schema)
  return (members: unknown) => {
    const result = judged(members)
    return result.ok ? result : fail(textOf(result.problem))
  }
}
