import { fail, type Result } from '../../lib/result.ts'
import { type Static, Type } from '../../lib/schema.ts'
import { judge } from '../../redfish/validation.ts'
import { type Bag, deviceInfo, type Field } from './attributes.ts'

/** What an answer says, as its `rc`. */
export const rc = {
  ok: 200,
  accepted: 202,
  changed: 204,
  badRequest: 400,
  notFound: 404,
  conflict: 409,
  internalError: 500,
  notImplemented: 501,
} as const

/** The longest message that the platform takes. */
export const MAX_PAYLOAD_BYTES = 131_072

/** The paths below `iotdevice-1`, on which devices speak. */
export const fromDevice = {
  manage: 'mgmt/manage',
  unmanage: 'mgmt/unmanage',
  notify: 'notify',
  response: 'response',
  location: 'device/update/location',
  addErrorCode: 'add/diag/errorCodes',
  clearErrorCodes: 'clear/diag/errorCodes',
  addLog: 'add/diag/log',
  clearLog: 'clear/diag/log',
} as const

/** The paths below `iotdm-1`, on which they are spoken to; those of actions are in `actions.ts`. */
export const toDevice = {
  response: 'response',
  update: 'device/update',
  observe: 'observe',
  cancel: 'cancel',
} as const

const reqId = Type.Optional(Type.String({ maxLength: 256 }))
const optionalBag = Type.Optional(Type.Unsafe<Bag | null>({ type: ['object', 'null'] }))

const manage = Type.Object({
  reqId,
  d: Type.Optional(
    Type.Object({
      /** Seconds; nothing, or 0, is for ever. */
      lifetime: Type.Optional(Type.Number({ minimum: 0, maximum: 2 ** 31 })),
      supports: Type.Optional(
        Type.Unsafe<Readonly<Record<string, boolean>>>({
          type: 'object',
          additionalProperties: { type: 'boolean' },
        }),
      ),
      deviceInfo: Type.Optional(deviceInfo),
      metadata: optionalBag,
    }),
  ),
})

const response = Type.Object({
  rc: Type.Integer({ minimum: 100, maximum: 599 }),
  reqId: Type.String({ maxLength: 256 }),
  message: Type.Optional(Type.Unsafe<string | null>({ type: ['string', 'null'], maxLength: 1_024 })),
  d: optionalBag,
})

const oneField = Type.Object({ field: Type.String({ maxLength: 256 }), value: Type.Unsafe<unknown>({}) })
const manyFields = Type.Object({ fields: Type.Array(oneField, { maxItems: 100 }) })
const notify = Type.Object({ reqId, d: Type.Union([manyFields, oneField]) })
const write = Type.Object({ reqId, d: manyFields })
/** One table of the platform's documents has bare names, another has objects. */
const names = Type.Unsafe<readonly (string | { readonly field: string })[]>({
  type: 'array',
  maxItems: 100,
  items: {
    anyOf: [
      { type: 'string' },
      { type: 'object', required: ['field'], properties: { field: { type: 'string' } } },
    ],
  },
})
const watch = Type.Object({ reqId, d: Type.Object({ fields: names }) })

const any = Type.Object({ reqId, d: optionalBag })

export type ResponseMessage = Static<typeof response>

/** The fields in the data of an answer. */
export const judgeFields = judge(manyFields)

/** A message's JSON, judged; what is wrong with it in words. */
export const read = {
  manage: reader(judge(manage)),
  response: reader(judge(response)),
  notify: reader(judge(notify)),
  write: reader(judge(write)),
  watch: reader(judge(watch)),
  any: reader(judge(any)),
}

function reader<T>(
  judged: (data: unknown) => Result<T, readonly { readonly pointer: string; readonly expected: string }[]>,
): (payload: Uint8Array) => Result<T, string> {
  return (payload) => {
    if (payload.byteLength > MAX_PAYLOAD_BYTES) return fail(`it has more than ${MAX_PAYLOAD_BYTES} bytes`)
    let data: unknown
    try {
      data = payload.byteLength === 0 ? {} : JSON.parse(Buffer.from(payload).toString())
    } catch {
      return fail('it is no JSON')
    }
    const result = judged(data)
    if (result.ok) return result
    return fail(
      result.problem.map(({ pointer, expected }) => `${pointer}: ${expected}`).join('; ') ||
        'its form is wrong',
    )
  }
}

/** The fields of a notification, in either of its forms. */
export function fieldsOf({ d }: Static<typeof notify>): readonly Field[] {
  return 'fields' in d ? d.fields : [d]
}

/** The names of the attributes that are to be observed, or not any more. */
export function namesOf({ d }: Static<typeof watch>): readonly string[] {
  return d.fields.map((one) => (typeof one === 'string' ? one : one.field))
}
