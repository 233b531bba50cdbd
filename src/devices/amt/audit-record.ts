import type { DeviceRecord } from '../device.ts'

/** A record of AMT_AuditLog, as it comes in base64: numbers big-endian, one after the other. */
export interface AuditRecord {
  readonly application: number
  readonly event: number
  /** The user who asked for it; `undefined` where nobody did by name. */
  readonly user: string | undefined
  /** Milliseconds since the epoch, whole seconds. */
  readonly time: number
  readonly address: string
  readonly details: Uint8Array
}

/** Applications and their events (Intel AMT, Audit Log). */
export const auditEvents = {
  invalidCredentials: [16, 5],
  powerUp: [17, 0],
  powerDown: [17, 1],
  powerCycle: [17, 2],
  reset: [17, 3],
  bootOptions: [17, 4],
  gracefulPowerDown: [17, 5],
  gracefulReset: [17, 6],
  standby: [17, 7],
  hibernate: [17, 8],
  updateStarted: [19, 0],
  updateFailed: [19, 1],
  consentCode: [30, 1],
  consentBlocked: [30, 2],
} as const satisfies Readonly<Record<string, readonly [application: number, event: number]>>

export type AuditEvent = keyof typeof auditEvents

type Saying = readonly [severity: DeviceRecord['severity'], text: string]

const sayings: Readonly<Record<AuditEvent, Saying>> = {
  invalidCredentials: ['Warning', 'Somebody gave a wrong password.'],
  powerUp: ['OK', 'The system was switched on.'],
  powerDown: ['OK', 'The system was switched off.'],
  powerCycle: ['OK', 'The system was switched off and on.'],
  reset: ['OK', 'The system was reset.'],
  bootOptions: ['OK', 'What the system boots from was set.'],
  gracefulPowerDown: ['OK', 'The system was shut down.'],
  gracefulReset: ['OK', 'The system was restarted.'],
  standby: ['OK', 'The system was put to sleep.'],
  hibernate: ['OK', 'The system was put into hibernation.'],
  updateStarted: ['OK', 'An update of the CSME has begun.'],
  updateFailed: ['Critical', 'An update of the CSME has failed.'],
  consentCode: ['OK', 'The user has consented.'],
  consentBlocked: ['Warning', 'No code of user consent is taken for a while.'],
}
const wrongCode: Saying = ['Warning', 'A wrong code of user consent was given.']

/** Whoever asked: by HTTP Digest with a name, Kerberos with an identifier, from the machine itself, at its KVM port. */
const initiators = { digest: 0, kerberos: 1, local: 2, kvm: 3 } as const
const IPV4 = 0

export function encodeRecord(record: AuditRecord): string {
  const { application, event, user, time, address, details } = record
  const head = Buffer.alloc(5)
  head.writeUInt16BE(application, 0)
  head.writeUInt16BE(event, 2)
  head.writeUInt8(user === undefined ? initiators.local : initiators.digest, 4)
  const seconds = Buffer.alloc(4)
  seconds.writeUInt32BE(Math.floor(time / 1_000))
  const parts = [
    head,
    user === undefined ? Buffer.alloc(0) : counted(Buffer.from(user)),
    seconds,
    Buffer.of(IPV4),
    counted(Buffer.from(address)),
    counted(details),
  ]
  return Buffer.concat(parts).toString('base64')
}

function counted(bytes: Uint8Array): Buffer {
  return Buffer.concat([Buffer.of(bytes.byteLength), bytes])
}

/** `undefined` where the bytes are no record. */
export function decodeRecord(base64: string): AuditRecord | undefined {
  const bytes = Buffer.from(base64, 'base64')
  let at = 5
  const take = (length: number): Buffer => {
    at += length
    return bytes.subarray(at - length, at)
  }
  const takeCounted = (): Buffer => take(take(1)[0] ?? 0)
  if (bytes.byteLength < at) return undefined
  const initiator = bytes.readUInt8(4)
  // A security identifier is nobody's name; it has a domain before its length.
  if (initiator === initiators.kerberos) take(4)
  const named = initiator === initiators.local || initiator === initiators.kvm ? undefined : takeCounted()
  const seconds = take(4)
  take(1)
  const [address, details] = [takeCounted(), takeCounted()]
  if (at !== bytes.byteLength) return undefined
  return {
    application: bytes.readUInt16BE(0),
    event: bytes.readUInt16BE(2),
    user: initiator === initiators.digest ? named?.toString() : undefined,
    time: seconds.readUInt32BE(0) * 1_000,
    address: address.toString(),
    details,
  }
}

/** What an event is called, where it is one of those that are known here. */
export function eventOf({
  application,
  event,
}: Pick<AuditRecord, 'application' | 'event'>): AuditEvent | undefined {
  const [name] =
    Object.entries(auditEvents).find(([, [of, number]]) => of === application && number === event) ?? []
  return name as AuditEvent | undefined // as the keys of that table are
}

/** What a record says, for people. */
export function told(record: AuditRecord): DeviceRecord {
  const { user, time, address } = record
  const [severity, text] = sayingOf(record)
  return {
    time,
    severity,
    text,
    user,
    address: address === '' ? undefined : originOf(address),
  }
}

function sayingOf(record: AuditRecord): Saying {
  const { application, event, details } = record
  const known = eventOf(record)
  if (known === undefined) return ['OK', `Event ${event} of application ${application}.`]
  return known === 'consentCode' && details[0] !== 0 ? wrongCode : sayings[known]
}

/** AMT is spoken to by HTTP, whether secured or not. */
function originOf(address: string): string {
  return `http://${address.includes(':') ? `[${address}]` : address}`
}
