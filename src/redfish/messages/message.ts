import accountSecurity from '../../../schemas/registries/AccountSecurity.1.0.1.json' with { type: 'json' }
import base from '../../../schemas/registries/Base.1.22.1.json' with { type: 'json' }
import heartbeatEvent from '../../../schemas/registries/HeartbeatEvent.1.1.1.json' with { type: 'json' }
import jobEvent from '../../../schemas/registries/JobEvent.1.1.1.json' with { type: 'json' }
import logService from '../../../schemas/registries/LogService.1.1.0.json' with { type: 'json' }
import managerEvent from '../../../schemas/registries/ManagerEvent.1.0.0.json' with { type: 'json' }
import resourceEvent from '../../../schemas/registries/ResourceEvent.1.4.3.json' with { type: 'json' }
import serviceCommunications from '../../../schemas/registries/ServiceCommunications.1.0.1.json' with { type: 'json' }
import taskEvent from '../../../schemas/registries/TaskEvent.1.0.5.json' with { type: 'json' }
import update from '../../../schemas/registries/Update.1.3.0.json' with { type: 'json' }
import { redflash, type RedflashMessageArgs } from './redflash.ts'
import type { MessageArgs } from './registries.gen.ts'

export type Severity = 'OK' | 'Warning' | 'Critical'

/** A Message object (Message v1_3_0) as it stands in errors, tasks and logs. */
export interface Message {
  readonly '@odata.type': '#Message.v1_3_0.Message'
  readonly MessageId: string
  readonly Message: string
  readonly MessageArgs: readonly string[]
  readonly MessageSeverity: Severity
  readonly Resolution: string
  readonly RelatedProperties?: readonly string[]
}

type AllMessageArgs = MessageArgs & RedflashMessageArgs
export type MessageKey = keyof AllMessageArgs

interface Template {
  readonly Message: string
  readonly MessageSeverity: string
  readonly Resolution: string
}

interface Registry {
  readonly Id: string
  readonly Name: string
  readonly RegistryPrefix: string
  readonly RegistryVersion: string
  readonly Language: string
  readonly Messages: Readonly<Record<string, Template | undefined>>
}

/** The registries whose messages this service emits: as published (reduced to facts), and our own. */
export const registries: readonly Registry[] = [
  base,
  update,
  taskEvent,
  resourceEvent,
  accountSecurity,
  logService,
  managerEvent,
  heartbeatEvent,
  jobEvent,
  serviceCommunications,
  redflash,
]

const byPrefix = new Map(registries.map((registry) => [registry.RegistryPrefix, registry]))

/** How clients name messages: in whatever version, or in none. */
export const MESSAGE_ID = String.raw`^\w+(\.\d+\.\d+(\.\d+)?)?\.\w+$`

/** Whether one of our registries has the message, in whatever version. */
export function isOwnMessage(messageId: string): boolean {
  const { registry, key } = placeOf(messageId)
  return registry !== undefined && Object.hasOwn(registry.Messages, key)
}

/** A message of a registry with its arguments filled in; a wrong key or argument count does not compile. */
export function message<K extends MessageKey>(key: K, ...args: AllMessageArgs[K]): Message {
  const dot = key.indexOf('.')
  const registry = byPrefix.get(key.slice(0, dot))
  const template = registry?.Messages[key.slice(dot + 1)]
  if (registry === undefined || template === undefined) throw new Error(`no message ${key} in the registries`)
  const values = args.map(String)
  return {
    '@odata.type': '#Message.v1_3_0.Message',
    MessageId: `${registry.RegistryPrefix}.${majorMinor(registry)}.${key.slice(dot + 1)}`,
    Message: filled(template.Message, values),
    MessageArgs: values,
    MessageSeverity: severity(template.MessageSeverity),
    Resolution: template.Resolution,
  }
}

/** A message that somebody else names, in whatever version: as our registries describe it, where they know it. */
export function describeMessage(messageId: string, args: readonly string[]): Message {
  const { registry, key } = placeOf(messageId)
  const template = registry?.Messages[key]
  return {
    '@odata.type': '#Message.v1_3_0.Message',
    MessageId: messageId,
    Message: filled(template?.Message ?? '', args),
    MessageArgs: args,
    MessageSeverity: severity(template?.MessageSeverity ?? 'OK'),
    Resolution: template?.Resolution ?? 'None.',
  }
}

/** A message that somebody else sent, as one of ours: where a registry of ours has it, and it takes so many arguments. */
export function ownMessage(messageId: string, args: readonly string[]): Message | undefined {
  const { registry, key } = placeOf(messageId)
  const template = registry?.Messages[key]
  if (registry === undefined || template === undefined || countOf(template) !== args.length) return undefined
  return describeMessage(`${registryName(registry)}.${key}`, args)
}

/** The same message, raised or lowered: DSP0266 lets a service change the severity that the registry suggests. */
export function withSeverity(original: Message, raised: Severity): Message {
  return { ...original, MessageSeverity: raised }
}

/** The same message, pointing at the request's members that it speaks of (RFC 6901 pointers). */
export function about(original: Message, ...pointers: readonly string[]): Message {
  return { ...original, RelatedProperties: pointers }
}

/** The worst severity among messages; OK where there is none. */
export function worstSeverity(messages: readonly Message[]): Severity {
  const severities = new Set(messages.map((one) => one.MessageSeverity))
  return severities.has('Critical') ? 'Critical' : severities.has('Warning') ? 'Warning' : 'OK'
}

/** `Base.1.22`: how a registry is named in MessageRegistryFile.Registry and in message ids. */
export function registryName(registry: Registry): string {
  return `${registry.RegistryPrefix}.${majorMinor(registry)}`
}

function placeOf(messageId: string): { readonly registry: Registry | undefined; readonly key: string } {
  const [prefix = '', key = ''] = [messageId.split('.', 1)[0], messageId.split('.').at(-1)]
  return { registry: byPrefix.get(prefix), key }
}

function countOf({ Message: text }: Template): number {
  return Math.max(0, ...[...text.matchAll(/%(\d)/g)].map(([, n]) => Number(n)))
}

function filled(template: string, args: readonly string[]): string {
  return template.replace(/%(\d)/g, (_, n: string) => args[Number(n) - 1] ?? '')
}

function majorMinor(registry: Registry): string {
  return registry.RegistryVersion.split('.').slice(0, 2).join('.')
}

function severity(value: string): Severity {
  if (value === 'OK' || value === 'Warning' || value === 'Critical') return value
  throw new Error(`severity ${value} is not one of the schema's`)
}
