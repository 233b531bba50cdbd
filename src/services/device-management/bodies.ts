import type { RegisteredDevice, RegisteredType } from '../../bmc/registration.ts'
import type { NewDevice, NewType } from '../../console/registry.ts'
import { MAX_DEVICES } from '../../devices/mqtt/actions.ts'
import { deviceInfo, infoOf } from '../../devices/mqtt/attributes.ts'
import type { DeviceId } from '../../devices/mqtt/topics.ts'
import { type Static, type TSchema, Type } from '../../lib/schema.ts'
import { bodyAs } from '../../redfish/body.ts'
import { RedfishError } from '../../redfish/errors.ts'
import { message } from '../../redfish/messages/message.ts'
import type { JsonObject } from '../../redfish/resource.ts'
import { judge, propertyMessages } from '../../redfish/validation.ts'

const closed = { additionalProperties: false }
const Name = Type.String({ pattern: '^[\\w.-]{1,36}$' })
/** Clients of IBM's say null of what they do not say. */
const Words = Type.Optional(Type.Unsafe<string | null>({ type: ['string', 'null'], maxLength: 4_096 }))
const Bag = Type.Optional(Type.Unsafe<JsonObject | null>({ type: ['object', 'null'] }))
const Info = Type.Optional(
  Type.Unsafe<Static<typeof deviceInfo> | null>({ ...deviceInfo, type: ['object', 'null'] }),
)
const Token = Type.Optional(
  Type.Unsafe<string | null>({ type: ['string', 'null'], pattern: '^[\\w!&@?*+().-]{8,36}$' }),
)

const typeMembers = { description: Words, deviceInfo: Info, metadata: Bag }
const deviceMembers = { deviceInfo: Info, metadata: Bag, location: Bag, status: Bag }
const NewTypeBody = Type.Object(
  {
    id: Name,
    classId: Type.Optional(Type.Unsafe<'Device' | 'Gateway'>({ enum: ['Device', 'Gateway'] })),
    ...typeMembers,
  },
  closed,
)
const NewDeviceBody = Type.Object({ deviceId: Name, authToken: Token, ...deviceMembers }, closed)
const NewDevices = Type.Array(
  Type.Object({ typeId: Name, deviceId: Name, authToken: Token, ...deviceMembers }, closed),
  { maxItems: MAX_DEVICES },
)
const SomeDevices = Type.Array(Type.Object({ typeId: Name, deviceId: Name }, closed), {
  maxItems: MAX_DEVICES,
})
const changeBodies = { type: Type.Object(typeMembers, closed), device: Type.Object(deviceMembers, closed) }

export type TypeChanges = Partial<Pick<RegisteredType, 'description' | 'deviceInfo' | 'metadata'>>
export type DeviceChanges = Partial<Pick<RegisteredDevice, 'deviceInfo' | 'metadata'>>

export function newType(body: unknown, by: string | undefined): NewType {
  const { id, classId = 'Device', description, deviceInfo: info, metadata } = bodyAs(NewTypeBody, body)
  return {
    typeId: id,
    classId,
    description: description ?? undefined,
    deviceInfo: infoOf(info ?? undefined),
    metadata: metadata ?? {},
    by,
  }
}

export function newDevice(
  body: unknown,
  whose: { readonly typeId: string; readonly by: string | undefined },
): NewDevice {
  return deviceOf({ ...bodyAs(NewDeviceBody, body), ...whose })
}

export function newDevices(body: unknown, by: string | undefined): NewDevice[] {
  return listAs(NewDevices, body).map((one) => deviceOf({ ...one, by }))
}

export function someDevices(body: unknown): readonly DeviceId[] {
  return listAs(SomeDevices, body)
}

/** What a PUT says; what it does not say stays as it is. */
export function changesOf(body: unknown, kind: 'type' | 'device'): TypeChanges {
  const said: Static<(typeof changeBodies)['type']> = bodyAs(changeBodies[kind], body)
  const { description, deviceInfo: info, metadata } = said
  return {
    ...(typeof description === 'string' && { description }),
    ...(info && { deviceInfo: infoOf(info) }),
    ...(metadata && { metadata }),
  }
}

function deviceOf({
  typeId,
  deviceId,
  authToken,
  deviceInfo: info,
  metadata,
  by,
}: Static<typeof NewDeviceBody> & { readonly typeId: string; readonly by: string | undefined }): NewDevice {
  return {
    typeId,
    deviceId,
    deviceInfo: infoOf(info ?? undefined),
    metadata: metadata ?? {},
    token: authToken ?? undefined,
    by,
  }
}

function listAs<S extends TSchema>(schema: S, body: unknown): Static<S> {
  if (!Array.isArray(body)) throw new RedfishError(400, message('Base.UnrecognizedRequestBody'))
  const judged = judge(schema)(body)
  if (!judged.ok) throw new RedfishError(400, propertyMessages(judged.problem))
  return judged.value
}
