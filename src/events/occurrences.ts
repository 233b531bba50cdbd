import { isDeepStrictEqual } from 'node:util'
import { isActive, shownAt } from '../bmc/banks.ts'
import type { Bmc } from '../bmc/bmc.ts'
import { measure } from '../bmc/measurements.ts'
import type { Network } from '../bmc/network.ts'
import type { Change, ComponentState, LogEntry, Settings } from '../bmc/state.ts'
import { type Message, message } from '../redfish/messages/message.ts'
import type { JsonObject } from '../redfish/resource.ts'
import { logs } from '../bmc/log.ts'
import { uris } from '../redfish/uris.ts'
import { ofDevices } from './device-occurrences.ts'
import { ofLife, type Pair, pairs } from './life.ts'
import type { Occurrence } from './occurrence.ts'
import { changed, ofMembers, ofStatus } from './resource-occurrences.ts'
import { ofJobs, ofTask } from './work-occurrences.ts'

/** Which property of which resource shows a setting; a new one does not compile until it is said. */
const settingProperties: Readonly<Record<keyof Settings, readonly [uri: string, property: string]>> = {
  updateServiceEnabled: [uris.updateService, 'ServiceEnabled'],
  verifyRemoteServerCertificate: [uris.updateService, 'VerifyRemoteServerCertificate'],
  verifyRemoteServerSshKey: [uris.updateService, 'VerifyRemoteServerSSHKey'],
  maintenanceWindowStart: [uris.updateService, 'MaintenanceWindowStartTime'],
  maintenanceWindowS: [uris.updateService, 'MaintenanceWindowDurationInSeconds'],
  pushTargets: [uris.updateService, 'HttpPushUriTargets'],
  pushForce: [uris.updateService, 'HttpPushUriOptions/ForceUpdate'],
  pushApplyTime: [uris.updateService, 'HttpPushUriOptions/HttpPushUriApplyTime/ApplyTime'],
  pushTargetsBusy: [uris.updateService, 'HttpPushUriTargetsBusy'],
  pushOptionsBusy: [uris.updateService, 'HttpPushUriOptionsBusy'],
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
  jobServiceEnabled: [uris.jobService, 'ServiceEnabled'],
  taskAutoDeleteMinutes: [uris.taskService, 'TaskAutoDeleteTimeoutMinutes'],
  taskMonitorExpiryS: [uris.taskService, 'TaskMonitorAutoExpirySeconds'],
  eventServiceEnabled: [uris.eventService, 'ServiceEnabled'],
  deliveryRetryAttempts: [uris.eventService, 'DeliveryRetryAttempts'],
  deliveryRetryIntervalS: [uris.eventService, 'DeliveryRetryIntervalSeconds'],
}

/** Resources that come and go with an entry of the state. */
const livingMaps = [
  ['accounts', uris.account],
  ['roles', uris.role],
  ['sessions', uris.session],
  ['subscriptions', uris.eventDestination],
  ['localImages', uris.localImage],
  ['trustedKeys', uris.remoteServerKey],
  ['trustedCertificates', uris.remoteServerCertificate],
  ['clientCertificates', uris.clientCertificate],
  ['trustAnchors', uris.trustAnchor],
  ['identityKeys', uris.identityKey],
  ['aggregates', uris.aggregate],
] as const

/** What a commit means to those who watch: `before` is what the change replaced. */
export function occurrencesOf(bmc: Bmc, change: Change, before: Change): Occurrence[] {
  const group = groupOf(change)
  // What else is in the audit log is told as what it changed.
  const audit = added(change.auditLog, before.auditLog).filter(isSecurity)
  const logged = new Map([...added(change.log, before.log), ...audit].map((entry) => [entry.message, entry]))
  const originOf = (one: Message): string | undefined => logged.get(one)?.origin
  const work = [
    ...pairs(change.tasks, before.tasks).flatMap((pair) => ofTask(pair, originOf)),
    ...ofJobs(bmc, pairs(change.jobs, before.jobs), originOf),
  ]
  const notices: readonly Occurrence[] = change.notices ?? []
  const told = new Set([...notices, ...work].map((one) => one.message))
  // What a task or a job says is in the log, too: it happened once.
  const onlyLogged = [...logged.values()].filter((entry) => !told.has(entry.message))
  const occurrences: readonly Occurrence[] = [
    ...notices,
    ...work,
    ...onlyLogged.map(({ message: one, origin, actor, group: own }) => ({
      message: one,
      origin,
      actor,
      group: own,
    })),
    ...pairs(change.components, before.components).flatMap((pair) => ofComponent(bmc, pair)),
    ...(change.history ?? []).flatMap(([id]) =>
      bmc.machine.components.has(id) ? [changed(uris.firmwareHistory(id))] : [],
    ),
    ...ofDevices(bmc, change, before).filter((one) => !isLogged(one, logged.values())),
    ...pairs(change.overlays, before.overlays).flatMap((pair) => ofOverlay(bmc, pair)),
    ...ofSettings(change.settings, before.settings),
    ...ofNetwork(bmc, change.network, before.network),
    ...Object.entries(logs).flatMap(([id, log]) => ofEdits(bmc, id, pairs(change[log], before[log]))),
    ...livingMaps.flatMap(([map, uriOf]) =>
      pairs<unknown>(change[map], before[map]).flatMap((pair) => ofLife(uriOf(pair.key), pair)),
    ),
    ...pairs(change.identityKeys, before.identityKeys).flatMap(({ now, was }) =>
      now === undefined || was === undefined ? [changed(uris.updateService)] : [],
    ),
  ]
  return occurrences.map((one) => ({ ...one, group: one.group ?? group }))
}

/** Whether the log tells of it already. */
function isLogged({ message: one, origin }: Occurrence, logged: Iterable<LogEntry>): boolean {
  for (const entry of logged)
    if (entry.origin === origin && entry.message.MessageId === one.MessageId) return true
  return false
}

/** The entries that are new in a log. */
function added(now: Change['log'], was: Change['log']): LogEntry[] {
  return pairs(now, was).flatMap((pair) => (pair.was === undefined ? (pair.now ?? []) : []))
}

function isSecurity({ message: one }: LogEntry): boolean {
  return /^(AccountSecurity|LogService)\./.test(one.MessageId)
}

/** What clients do to entries. One that gives way to a newer, or goes with its whole log, is nothing to tell of. */
function ofEdits(bmc: Bmc, log: string, entries: readonly Pair<LogEntry>[]): Occurrence[] {
  const uriOf = ({ key }: Pair<LogEntry>): string => uris.logEntry(bmc.machine.manager, key, log)
  const edited = entries.filter(({ now, was }) => now !== undefined && was !== undefined)
  const [only, ...others] = entries
  const isRemoved = only !== undefined && only.now === undefined && others.length === 0
  return [...edited.map((one) => changed(uriOf(one))), ...(isRemoved ? ofLife(uriOf(only), only) : [])]
}

/** Everything that an update does belongs together: its task's number says so, and the job that goes on with it. */
function groupOf({ tasks = [], jobs = [] }: Change): number {
  const [key] = tasks.find(([, task]) => task !== undefined) ?? []
  const group = jobs.find(([, job]) => job !== undefined)?.[1]?.group
  return Number(key?.split('/')[0] ?? group ?? 0)
}

function ofComponent(bmc: Bmc, { key, ...pair }: Pair<ComponentState>): Occurrence[] {
  const facts = bmc.machine.components.get(key)
  if (facts === undefined) return []
  const { now = facts.factory, was = facts.factory } = pair
  const { state, health, ...others } = now
  const { state: oldState, health: oldHealth, ...oldOthers } = was
  const isOtherImage = now.boot?.running !== was.boot?.running
  const isOtherVersion = now.version !== was.version && isActive(bmc, key) !== false
  const { measuredBy } = facts.behaviour
  const isFoundOther =
    isActive(bmc, key) !== false &&
    !isDeepStrictEqual(measure({ ...facts, now }), measure({ ...facts, now: was }))
  return [
    ...(isDeepStrictEqual(others, oldOthers) ? [] : [changed(facts.uri)]),
    ...ofStatus(facts.uri, { State: state, Health: health }, { State: oldState, Health: oldHealth }),
    ...(isOtherImage || isOtherVersion ? shownAt(bmc, key).map(changed) : []),
    ...(measuredBy !== undefined && (isOtherImage || isFoundOther) ? [changed(measuredBy)] : []),
  ]
}

function ofOverlay(bmc: Bmc, { key: uri, ...pair }: Pair<JsonObject>): Occurrence[] {
  const original: JsonObject = bmc.machine.resources.get(uri) ?? {}
  return ofMembers(uri, { ...original, ...pair.now }, { ...original, ...pair.was })
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

/** A certificate that is made for who reads it is no change: to every reader it has always been there, as the ports have. */
function ofNetwork(bmc: Bmc, now: Change['network'] = {}, was: Change['network'] = {}): Occurrence[] {
  const { manager } = bmc.machine
  const { certificate } = { ...was, ...now }
  const { certificate: oldCertificate } = was
  const isReplaced = oldCertificate !== undefined && !isDeepStrictEqual(certificate, oldCertificate)
  return [
    ...(isDeepStrictEqual(chosen({ ...was, ...now }), chosen(was))
      ? []
      : [changed(uris.networkProtocol(manager))]),
    ...(isReplaced ? [changed(uris.httpsCertificate(manager))] : []),
  ]
}

/** What of the network clients choose. */
function chosen({ certificate: _made, httpPort: _http, httpsPort: _https, ...others }: Partial<Network>) {
  return others
}
