import { isDeepStrictEqual } from 'node:util'
import type { Bmc } from '../bmc/bmc.ts'
import type { Change, ComponentState, Entries, LogEntry, Settings, Task } from '../bmc/state.ts'
import { type Message, message } from '../redfish/messages/message.ts'
import { isObject, type Json, type JsonObject } from '../redfish/resource.ts'
import { uris } from '../redfish/uris.ts'
import { endMessage, isFinal } from '../tasks/task.ts'
import type { Occurrence } from './occurrence.ts'

/** TaskProgressChanged at most once for so many percent. */
const PROGRESS_STEP = 10

/** Which property of which resource shows a setting; a new one does not compile until it is said. */
const settingProperties: Readonly<Record<keyof Settings, readonly [uri: string, property: string]>> = {
  updateServiceEnabled: [uris.updateService, 'ServiceEnabled'],
  sessionServiceEnabled: [uris.sessionService, 'ServiceEnabled'],
  sessionTimeoutS: [uris.sessionService, 'SessionTimeout'],
  absoluteSessionTimeoutS: [uris.sessionService, 'AbsoluteSessionTimeout'],
  absoluteSessionTimeoutEnabled: [uris.sessionService, 'AbsoluteSessionTimeoutEnabled'],
  accountServiceEnabled: [uris.accountService, 'ServiceEnabled'],
  minPasswordLength: [uris.accountService, 'MinPasswordLength'],
  httpBasicAuth: [uris.accountService, 'HTTPBasicAuth'],
  lockoutThreshold: [uris.accountService, 'AccountLockoutThreshold'],
  lockoutDurationS: [uris.accountService, 'AccountLockoutDuration'],
  lockoutResetAfterS: [uris.accountService, 'AccountLockoutCounterResetAfter'],
  lockoutResetEnabled: [uris.accountService, 'AccountLockoutCounterResetEnabled'],
  taskAutoDeleteMinutes: [uris.taskService, 'TaskAutoDeleteTimeoutMinutes'],
  eventServiceEnabled: [uris.eventService, 'ServiceEnabled'],
  deliveryRetryAttempts: [uris.eventService, 'DeliveryRetryAttempts'],
  deliveryRetryIntervalS: [uris.eventService, 'DeliveryRetryIntervalSeconds'],
}

/** What a commit means to those who watch: `before` is what the change replaced. */
export function occurrencesOf(bmc: Bmc, change: Change, before: Change): Occurrence[] {
  const group = groupOf(change)
  // What else is in the audit log is told as what it changed.
  const audit = (change.auditLog ?? []).filter(([, entry]) => isSecurity(entry))
  const entries = [...(change.log ?? []), ...audit]
  const logged = new Map(entries.flatMap(([, entry]) => (entry ? [[entry.message, entry]] : [])))
  const tasks = pairs(change.tasks, before.tasks).flatMap((pair) =>
    ofTask(pair, (one) => logged.get(one)?.origin),
  )
  const notices: readonly Occurrence[] = change.notices ?? []
  const told = new Set([...notices, ...tasks].map((one) => one.message))
  // What a task says is in the log, too: it happened once.
  const onlyLogged = [...logged.values()].filter((entry) => !told.has(entry.message))
  const occurrences: readonly Occurrence[] = [
    ...notices,
    ...tasks,
    ...onlyLogged.map(({ message: one, origin, actor, group: own }) => ({
      message: one,
      origin,
      actor,
      group: own,
    })),
    ...pairs(change.components, before.components).flatMap((pair) => ofComponent(bmc, pair)),
    ...pairs(change.overlays, before.overlays).flatMap((pair) => ofOverlay(bmc, pair)),
    ...ofSettings(change.settings, before.settings),
    ...ofNetwork(bmc, change.network, before.network),
    ...pairs(change.accounts, before.accounts).flatMap((pair) => ofLife(uris.account(pair.key), pair)),
    ...pairs(change.roles, before.roles).flatMap((pair) => ofLife(uris.role(pair.key), pair)),
    ...pairs(change.sessions, before.sessions).flatMap((pair) => ofLife(uris.session(pair.key), pair)),
    ...pairs(change.subscriptions, before.subscriptions).flatMap((pair) =>
      ofLife(uris.eventDestination(pair.key), pair),
    ),
  ]
  return occurrences.map((one) => ({ ...one, group: one.group ?? group }))
}

function isSecurity(entry: LogEntry | undefined): boolean {
  return /^(AccountSecurity|LogService)\./.test(entry?.message.MessageId ?? '')
}

interface Pair<T> {
  readonly key: string
  readonly now: T | undefined
  readonly was: T | undefined
}

function pairs<T>(now: Entries<T> = [], was: Entries<T> = []): Pair<T>[] {
  return now.map(([key, value], index) => ({ key, now: value, was: was[index]?.[1] }))
}

/** Everything that an update does belongs together; its task's number says so. */
function groupOf({ tasks = [] }: Change): number {
  const id = tasks.find(([, task]) => task !== undefined)?.[0]
  return Number(id ?? 0) || 0
}

/** Created, changed or removed. */
function ofLife(origin: string, { now, was }: Pair<unknown>): Occurrence[] {
  if (now === was) return []
  if (was === undefined) return [{ message: message('ResourceEvent.ResourceCreated'), origin }]
  if (now === undefined) return [{ message: message('ResourceEvent.ResourceRemoved'), origin, isGone: true }]
  return [{ message: message('ResourceEvent.ResourceChanged'), origin }]
}

/** A task's own events stand for its changes: a ResourceChanged for each would say them again, unthrottled. */
function ofTask(pair: Pair<Task>, originOf: (one: Message) => string | undefined): Occurrence[] {
  const { key: id, now, was } = pair
  const origin = uris.task(id)
  const life = now === undefined || was === undefined ? ofLife(origin, pair) : []
  if (now === undefined) {
    return was === undefined
      ? []
      : [{ message: message('TaskEvent.TaskRemoved', id), origin, isGone: true }, ...life]
  }
  const news = now.messages.slice(was?.messages.length ?? 0)
  const state = ofTaskState(now, was)
  return [
    ...life,
    ...(isFinal(now.state) ? [] : state),
    ...news.map((one) => ({ message: one, origin: originOf(one) ?? targetOf(one) ?? uris.updateService })),
    ...(isFinal(now.state) ? state : []),
  ]
}

function ofTaskState(now: Task, was: Task | undefined): Occurrence[] {
  const origin = uris.task(now.id)
  const step = (task: Task | undefined): number => Math.floor((task?.percent ?? 0) / PROGRESS_STEP)
  const isStarted = now.state === 'Running' && was?.state !== 'Running'
  const isFurther = !isFinal(now.state) && step(now) > step(was)
  return [
    ...(isStarted ? [message('TaskEvent.TaskStarted', now.id)] : []),
    ...(isFurther ? [message('TaskEvent.TaskProgressChanged', now.id, now.percent)] : []),
    ...(isFinal(now.state) && now.state !== was?.state ? [endMessage(now)] : []),
  ].map((one) => ({ message: one, origin }))
}

/** The resource that a message of the Update registry speaks of. */
function targetOf({ MessageArgs }: Message): string | undefined {
  return MessageArgs.find((arg) => arg.startsWith(`${uris.root}/`))
}

function ofComponent(bmc: Bmc, { key, ...pair }: Pair<ComponentState>): Occurrence[] {
  const facts = bmc.machine.components.get(key)
  if (facts === undefined) return []
  const { now = facts.factory, was = facts.factory } = pair
  const { state, health, ...others } = now
  const { state: oldState, health: oldHealth, ...oldOthers } = was
  const showing = [...bmc.machine.shown].filter(([, places]) => places.some((one) => one.component === key))
  return [
    ...(isDeepStrictEqual(others, oldOthers) ? [] : [changed(facts.uri)]),
    ...ofStatus(facts.uri, { State: state, Health: health }, { State: oldState, Health: oldHealth }),
    ...(now.version === was.version ? [] : showing.map(([uri]) => changed(uri))),
  ]
}

function ofOverlay(bmc: Bmc, { key: uri, ...pair }: Pair<JsonObject>): Occurrence[] {
  const original: JsonObject = bmc.machine.resources.get(uri) ?? {}
  const now: JsonObject = pair.now ?? {}
  const was: JsonObject = pair.was ?? {}
  const names = [...new Set([...Object.keys(now), ...Object.keys(was)])]
  const differs = names.filter(
    (name) => !isDeepStrictEqual(now[name] ?? original[name], was[name] ?? original[name]),
  )
  const member = (overlay: JsonObject, name: string): Json | undefined => overlay[name] ?? original[name]
  const isOther = differs.some((name) => name !== 'PowerState' && name !== 'Status')
  return [
    ...(differs.includes('PowerState') ? ofPower(uri, member(now, 'PowerState')) : []),
    ...(differs.includes('Status') ? ofStatus(uri, member(now, 'Status'), member(was, 'Status')) : []),
    ...(isOther ? [changed(uri)] : []),
  ]
}

function ofPower(origin: string, state: Json | undefined): Occurrence[] {
  switch (textOf(state)) {
    case 'On':
      return [{ message: message('ResourceEvent.ResourcePoweredOn', origin), origin }]
    case 'Off':
      return [{ message: message('ResourceEvent.ResourcePoweredOff', origin), origin }]
    case 'PoweringOn':
      return [{ message: message('ResourceEvent.ResourcePoweringOn', origin), origin }]
    case 'PoweringOff':
      return [{ message: message('ResourceEvent.ResourcePoweringOff', origin), origin }]
    case 'Paused':
      return [{ message: message('ResourceEvent.ResourcePaused', origin), origin }]
    default:
      return [changed(origin)]
  }
}

function ofStatus(origin: string, now: Json | undefined, was: Json | undefined): Occurrence[] {
  const { State = null, Health = null } = isObject(now) ? now : {}
  const { State: oldState = null, Health: oldHealth = null } = isObject(was) ? was : {}
  const state =
    State === oldState ? [] : [message('ResourceEvent.ResourceStateChanged', origin, textOf(State))]
  return [...state, ...(Health === oldHealth ? [] : healthMessage(origin, Health))].map((one) => ({
    message: one,
    origin,
  }))
}

function healthMessage(origin: string, health: Json): Message[] {
  const text = textOf(health)
  switch (text) {
    case 'OK':
      return [message('ResourceEvent.ResourceStatusChangedOK', origin, text)]
    case 'Warning':
      return [message('ResourceEvent.ResourceStatusChangedWarning', origin, text)]
    case 'Critical':
      return [message('ResourceEvent.ResourceStatusChangedCritical', origin, text)]
    default:
      return []
  }
}

function textOf(value: Json | undefined): string {
  return typeof value === 'string' ? value : 'null'
}

/** Settings change by a client's hand only. */
function ofSettings(now: Partial<Settings> = {}, was: Partial<Settings> = {}): Occurrence[] {
  const modified = Object.entries(now).flatMap(([name, value]) => {
    const isSame = isDeepStrictEqual(value, was[name as keyof Settings]) // a key of the change, so of the settings
    const [uri, property] = settingProperties[name as keyof Settings]
    return isSame ? [] : [{ uri, name: property, value }]
  })
  return [
    ...modified.map(({ uri, name, value }) => ({
      message: message('ResourceEvent.PropertyValueModifiedByClient', name, String(value)),
      origin: uri,
    })),
    ...[...new Set(modified.map(({ uri }) => uri))].map(changed),
  ]
}

function ofNetwork(bmc: Bmc, now: Change['network'] = {}, was: Change['network'] = {}): Occurrence[] {
  return isDeepStrictEqual({ ...was, ...now }, was)
    ? []
    : [changed(uris.networkProtocol(bmc.machine.manager))]
}

function changed(origin: string): Occurrence {
  return { message: message('ResourceEvent.ResourceChanged'), origin }
}
