import type { JobPayload, Schedule } from '../../bmc/state.ts'
import type { JobRequest } from '../../bmc/user-job.ts'
import { Type } from '../../lib/schema.ts'
import { bodyAs } from '../../redfish/body.ts'
import { DURATION_PATTERN, parseDuration } from '../../redfish/duration.ts'
import { readJson } from '../../redfish/json-body.ts'
import { about, type Message, message } from '../../redfish/messages/message.ts'
import { OEM } from '../../redfish/oem/types.ts'
import { isObject, type Json, type JsonObject } from '../../redfish/resource.ts'
import { withoutSecrets } from '../../redfish/secrets.ts'
import { uris } from '../../redfish/uris.ts'
import { durationMistakes, neverRuns, readSchedule } from '../../tasks/schedule-body.ts'

const closed = { additionalProperties: false }
const MAX_TEXT = 256
const MAX_URI = 2_048
const MAX_BODY = 2 ** 20
const MAX_HEADERS = 50
/** Where a roll-out is said. */
const ORDER = `/Oem/${OEM}`

const NewJob = Type.Object(
  {
    Name: Type.Optional(Type.String({ minLength: 1, maxLength: MAX_TEXT })),
    Payload: Type.Optional(
      Type.Object(
        {
          // What a job reads nobody would see.
          HttpOperation: Type.Unsafe<'POST' | 'PATCH' | 'PUT' | 'DELETE'>({
            enum: ['POST', 'PATCH', 'PUT', 'DELETE'],
          }),
          TargetUri: Type.String({ maxLength: MAX_URI }),
          // Judged by `headersOf`: what is wrong with it must not be repeated, for it may be a credential.
          HttpHeaders: Type.Optional(Type.Unsafe<unknown>({})),
          // Judged by `bodyMistakes`, for the same reason.
          JsonBody: Type.Optional(Type.Unsafe<unknown>({})),
        },
        closed,
      ),
    ),
    // Instead of a Payload: judged by who takes what is in it.
    Oem: Type.Optional(Type.Unsafe<Json>({})),
    HidePayload: Type.Optional(Type.Boolean()),
    MaxExecutionTime: Type.Optional(
      Type.Unsafe<string | null>({ type: ['string', 'null'], pattern: DURATION_PATTERN }),
    ),
    // Judged by `readSchedule`, as that of a PATCH is.
    Schedule: Type.Optional(Type.Unsafe<Json>({})),
  },
  closed,
)

/** A job that a client asks for. */
export interface JobWish {
  readonly name: string
  readonly request: JobRequest
  /** The request as it is shown: without secrets. */
  readonly payload: JobPayload
  readonly hidePayload: boolean
  readonly maxExecutionMs: number | undefined
  readonly schedule: Schedule | undefined
}

/** What a wish is judged by beside itself. */
interface Judges {
  /** Where a roll-out is asked for, and all that is wrong with what is said of one. */
  readonly rollOuts: {
    readonly targetUri: string
    readonly mistakes: (order: Json, at: string) => readonly Message[]
  }
  /** The methods of what is at a path; none: nothing is. */
  readonly methodsOf: (path: string) => readonly string[]
  readonly willRun: (schedule: Schedule) => boolean
}

/** What a client asks for by POST to Jobs. Throws a RedfishError (400) with everything that is wrong. */
export function jobWish(body: unknown, judges: Judges): JobWish {
  const wish = bodyAs(NewJob, body, (given) => furtherMistakes(given, judges))
  const order = orderIn(wish)
  const payload = order === undefined ? wish.Payload : orderPayload(order, judges.rollOuts.targetUri)
  if (payload === undefined) throw new Error('a job without a request was found right')
  const { HttpOperation: method, TargetUri, HttpHeaders, JsonBody } = payload
  const uri = TargetUri.replace(/\/$/, '')
  const headers = headersOf(HttpHeaders) ?? {}
  const text = typeof JsonBody === 'string' ? JsonBody : undefined
  const schedule = wish.Schedule === undefined ? undefined : readSchedule(wish.Schedule)
  return {
    name: wish.Name ?? planName(order) ?? `${method} ${uri}`,
    request: { method, uri, headers, body: text },
    payload: {
      httpOperation: method,
      targetUri: uri,
      httpHeaders: Object.entries(headers).map(([name, value]) => `${name}: ${shownHeader(name, value)}`),
      jsonBody: text === undefined ? '' : JSON.stringify(JSON.parse(text), withoutSecrets),
    },
    hidePayload: wish.HidePayload ?? false,
    maxExecutionMs:
      typeof wish.MaxExecutionTime === 'string' ? parseDuration(wish.MaxExecutionTime) : undefined,
    schedule: schedule?.ok === true ? schedule.value : undefined,
  }
}

/** A roll-out that is asked for, instead of a request. */
function orderIn({ Oem: oem }: { readonly Oem?: Json }): Json | undefined {
  return isObject(oem) ? oem[OEM] : undefined
}

function orderPayload(order: Json, TargetUri: string) {
  const none: { readonly HttpHeaders?: unknown } = {}
  return { ...none, HttpOperation: 'POST', TargetUri, JsonBody: JSON.stringify(order) } as const
}

function planName(order: Json | undefined): string | undefined {
  const plan = isObject(order) ? order['RollOut'] : undefined
  const name = isObject(plan) ? plan['Name'] : undefined
  return typeof name === 'string' && name !== '' ? name : undefined
}

/** One of both says what the job is to do. */
function orderMistakes(body: JsonObject, { rollOuts }: Judges): readonly Message[] {
  const order = orderIn(body)
  const hasPayload = body['Payload'] !== undefined
  if (order === undefined)
    return hasPayload ? [] : [about(message('Base.PropertyMissing', 'Payload'), '/Payload')]
  const both = about(message('Base.PropertyValueConflict', 'Payload', ORDER.slice(1)), '/Payload')
  return [...(hasPayload ? [both] : []), ...rollOuts.mistakes(order, ORDER)]
}

/** What the schema does not know, looked for in a body that it may have found wrong already. */
function furtherMistakes(body: JsonObject, judges: Judges): Message[] {
  const { methodsOf, willRun } = judges
  const { Payload, Schedule, MaxExecutionTime } = body
  const schedule = Schedule === undefined ? undefined : readSchedule(Schedule)
  const isDuration =
    typeof MaxExecutionTime === 'string' && new RegExp(DURATION_PATTERN).test(MaxExecutionTime)
  return [
    ...orderMistakes(body, judges),
    ...(isObject(Payload) ? payloadMistakes(Payload, methodsOf) : []),
    ...(isDuration ? durationMistakes(MaxExecutionTime, '/MaxExecutionTime', 1) : []),
    ...(schedule?.ok === false ? schedule.problem : []),
    ...(schedule?.ok === true && !willRun(schedule.value) ? [neverRuns()] : []),
  ]
}

function payloadMistakes(payload: JsonObject, methodsOf: Judges['methodsOf']): Message[] {
  const { HttpOperation, TargetUri, HttpHeaders, JsonBody } = payload
  return [
    ...(typeof TargetUri === 'string' ? targetMistakes(TargetUri, HttpOperation, methodsOf) : []),
    ...(headersOf(HttpHeaders) === undefined ? [wrong('HttpHeaders')] : []),
    ...(isJson(JsonBody) ? [] : [wrong('JsonBody')]),
  ]
}

/** Nothing that the router could read in two ways, no query, no other host. */
const PLAIN_PATH = /^\/redfish\/v1(\/[\w.$~@:-]+)*\/?$/

function targetMistakes(target: string, method: unknown, methodsOf: Judges['methodsOf']): Message[] {
  // It may hold credentials, which are not repeated.
  if (!PLAIN_PATH.test(target)) return [wrong('TargetUri')]
  const told = target.slice(0, MAX_TEXT)
  const pointer = '/Payload/TargetUri'
  const path = target.replace(/\/$/, '')
  // A job that makes, starts or changes jobs could go on for ever.
  if (path === uris.jobService || path.startsWith(`${uris.jobService}/`))
    return [about(message('Base.PropertyValueIncorrect', 'Payload/TargetUri', told), pointer)]
  const methods = methodsOf(path)
  if (methods.length === 0) return [about(message('Base.ResourceMissingAtURI', told), pointer)]
  const isKnown = ['POST', 'PATCH', 'PUT', 'DELETE'].some((one) => one === method)
  if (!isKnown || methods.includes(String(method))) return []
  return [about(message('Base.PropertyValueConflict', 'Payload/HttpOperation', 'Payload/TargetUri'), pointer)]
}

/** What the service says of a request by itself, and what would say who sends it. */
const ownHeaders =
  /^(host|connection|content-length|transfer-encoding|keep-alive|te|trailer|upgrade|expect|cookie|authorization|x-auth-token|x-redflash-.*)$/i

/** HttpHeaders (`Name: value`) as a record; `undefined` when something is wrong with them. */
function headersOf(value: unknown = []): Readonly<Record<string, string>> | undefined {
  if (!Array.isArray(value) || value.length > MAX_HEADERS) return undefined
  const lines = value.map((line: unknown) =>
    typeof line === 'string' ? /^([\w!#$%&'*+.^`|~-]+):[\t ]*([\t\x20-\x7E]{0,8192})$/.exec(line) : null,
  )
  const entries = lines.flatMap((found) =>
    found === null ? [] : [[found[1] ?? '', found[2] ?? ''] as const],
  )
  const isRight = entries.length === lines.length && !entries.some(([name]) => ownHeaders.test(name))
  return isRight ? Object.fromEntries(entries) : undefined
}

function isJson(value: unknown): boolean {
  return value === undefined || (typeof value === 'string' && value.length <= MAX_BODY && readJson(value).ok)
}

function shownHeader(name: string, value: string): string {
  return String(withoutSecrets(name, value))
}

function wrong(name: string): Message {
  return about(message('Base.PropertyValueError', `Payload/${name}`), `/Payload/${name}`)
}
