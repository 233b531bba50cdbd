import { type Bmc, findComponent } from '../../bmc/bmc.ts'
import { fail, type Result, succeed } from '../../lib/result.ts'
import { type Static, Type } from '../../lib/schema.ts'
import { readJson } from '../../redfish/json-body.ts'
import { type ApplyTime, applyTimes } from '../../redfish/apply-times.ts'
import { about, type Message, message } from '../../redfish/messages/message.ts'
import { OEM } from '../../redfish/oem/types.ts'
import { isObject, type JsonObject } from '../../redfish/resource.ts'
import { withoutSecrets } from '../../redfish/secrets.ts'
import { judge, propertyMessages, type Readable, readable } from '../../redfish/validation.ts'
import type { UpdateRequest } from '../../bmc/operation.ts'
import { referencePath } from '../../redfish/uris.ts'
import { readPlan } from '../../rollout/read-plan.ts'
import { isAggregate, leadsToDevices } from '../../update/targets.ts'
import { MAX_TARGETS, resolveReferences, resolveTargets } from './references.ts'

const OPERATION_APPLY_TIME = '@Redfish.OperationApplyTime'

// Clients send null for what they leave out (bmclib), and null among the targets (Lenovo XCC).
const References = Type.Unsafe<readonly (string | null)[] | null>({
  type: ['array', 'null'],
  maxItems: MAX_TARGETS,
  items: { type: ['string', 'null'], format: 'uri-reference', minLength: 1 },
})

/** What every way to ask for an update may say of it (UpdateService v1_17, UpdateParameters and SimpleUpdate). */
export const updateProperties = {
  Targets: Type.Optional(References),
  ExcludeTargets: Type.Optional(References),
  ForceUpdate: Type.Optional(Type.Boolean()),
  Stage: Type.Optional(Type.Boolean()),
  LocalImage: Type.Optional(Type.Boolean()),
  [OPERATION_APPLY_TIME]: Type.Optional(Type.Unsafe<ApplyTime>({ type: 'string', enum: applyTimes })),
}
const closed = { additionalProperties: false }
const UpdateProperties = Type.Object(updateProperties)

/** What our own may be asked beside: in `Oem.Redflash` of a push, as parameters of an action of ours. */
export const ownProperties = {
  /** Tell what would be done, and do nothing. */
  DryRun: Type.Optional(Type.Boolean()),
  /** Of the image, in hexadecimal: another one is refused. */
  ImageSHA256: Type.Optional(Type.String({ pattern: '^[0-9A-Fa-f]{64}$' })),
  /** Brings the image to many devices, in waves: judged by `rollOutOf`. */
  RollOut: Type.Optional(Type.Unsafe<JsonObject>({ type: 'object' })),
}
const OwnProperties = Type.Object(ownProperties, closed)
type OwnProperties = Static<typeof OwnProperties>
export type UpdateProperties = Static<typeof UpdateProperties> & OwnProperties

/** Whatever others may say there is none of our business. */
const Oem = Type.Unsafe<{ readonly [OEM]?: OwnProperties } | null>({
  type: ['object', 'null'],
  properties: { [OEM]: OwnProperties },
})

/** The UpdateParameters of a push: closed but for Oem. */
const UpdateParameters = Type.Object({ ...updateProperties, Oem: Type.Optional(Oem) }, closed)
const judgeParameters = judge(UpdateParameters)

export interface ParsedParameters {
  readonly request: UpdateRequest
  /** What the client sent, without secrets: for the task's Payload. */
  readonly jsonBody: string
}

/** Reads the UpdateParameters part of a push to this BMC; every mistake in it is told. */
export function parseParameters(bmc: Bmc, text: string): Result<ParsedParameters, readonly Message[]> {
  const read = readJson(text)
  if (!read.ok) return fail([read.problem])
  const data = read.value
  if (!isObject(data)) return fail([message('Base.MalformedJSON')])
  const judged = judgeParameters(data)
  const asked = judged.ok ? judged.value : readable<Static<typeof UpdateParameters>>(data, judged.problem)
  const request = requestOf(bmc, { ...asked, ...asked.Oem?.[OEM] }, propertyWording(`/Oem/${OEM}`))
  const mistakes = [
    ...(judged.ok ? [] : propertyMessages(judged.problem)),
    ...(request.ok ? [] : request.problem),
  ]
  if (!request.ok || mistakes.length > 0) return fail(mistakes)
  return succeed({ request: request.value, jsonBody: JSON.stringify(data, withoutSecrets) })
}

/** How a way to ask speaks of a member that does not go with another, and of a value that is not among those offered. */
export interface Wording {
  readonly conflict: (member: string, other: string) => Message
  readonly notInList: (value: string, member: string) => Message
  readonly unknown: (member: string) => Message
  /** Where what is our own stands. */
  readonly own: string
}

/** Of members of a body; what is our own is at this pointer. */
export function propertyWording(own: string): Wording {
  return {
    conflict: (property, value) => message('Base.PropertyValueConflict', property, value),
    notInList: (value, property) => message('Base.PropertyValueNotInList', value, property),
    unknown: (property) => message('Base.PropertyUnknown', property),
    own,
  }
}

/** What the members mean on this BMC; whatever is wrong with their values here is told. */
export function requestOf(
  bmc: Bmc,
  asked: Readable<UpdateProperties>,
  wording: Wording,
): Result<UpdateRequest, readonly Message[]> {
  const { conflict, notInList } = wording
  const targets = resolveTargets(bmc, 'Targets', asked.Targets)
  // Targets with a member make ExcludeTargets of no account (UpdateService v1_17).
  const excluded = targets.components.size > 0 ? null : asked.ExcludeTargets
  const exclude = resolveReferences(bmc, 'ExcludeTargets', excluded)
  const stage = asked.Stage ?? false
  const applyTime = asked[OPERATION_APPLY_TIME] ?? 'Immediate'
  const isOffered = bmc.machine.updateRules.applyTimes.includes(applyTime)
  const canStage = (id: string): boolean => findComponent(bmc, id)?.behaviour.spare !== undefined
  const cannotStage = stage && ![...targets.components].every(canStage)
  const mistakes = [
    ...targets.mistakes,
    ...exclude.mistakes,
    ...(isOffered ? [] : [about(notInList(applyTime, OPERATION_APPLY_TIME), `/${OPERATION_APPLY_TIME}`)]),
    ...(cannotStage ? [about(conflict('Stage', 'Targets'), '/Stage')] : []),
    ...rollOutMistakes(bmc, asked, wording),
  ]
  if (mistakes.length > 0) return fail(mistakes)
  return succeed({
    targets: targets.components.size > 0 ? targets.components : undefined,
    exclude: exclude.components,
    force: asked.ForceUpdate ?? false,
    applyTime,
    stage,
    keepsImage: asked.LocalImage ?? false,
    dryRun: asked.DryRun ?? false,
    sha256: asked.ImageSHA256?.toLowerCase(),
    ...(asked.RollOut && { rollOut: asked.RollOut }),
  })
}

/** What is wrong with a plan by which an image is to come to many devices, or with what is asked for beside it. */
function rollOutMistakes(
  bmc: Bmc,
  { RollOut: plan, Targets, ExcludeTargets, Stage, ...asked }: Readable<UpdateProperties>,
  { conflict, unknown, own }: Wording,
): readonly Message[] {
  const at = `${own}/RollOut`
  if (!plan) return []
  if (!bmc.machine.managesDevices) return [about(unknown('RollOut'), at)]
  const read = readPlan(plan, at)
  const applyTime = asked[OPERATION_APPLY_TIME] ?? 'Immediate'
  // The plan says it, or nobody can.
  const others = {
    Targets: (Targets?.length ?? 0) > 0,
    ExcludeTargets: (ExcludeTargets?.length ?? 0) > 0,
    Stage: Stage === true,
    [OPERATION_APPLY_TIME]: applyTime !== 'Immediate',
  }
  return [
    ...(read.ok ? [] : read.problem),
    ...Object.entries(others).flatMap(([name, isThere]) =>
      isThere ? [about(conflict(name, 'RollOut'), `/${name}`)] : [],
    ),
    ...[
      ...targetReferences(plan).filter(([, uri]) => !leadsToDevices(bmc, uri)),
      // A group that is not there would leave its devices without their window: they would begin at once.
      ...groupReferences(plan).filter(([, uri]) => !isAggregate(bmc, uri)),
    ].map(([pointer, uri]) =>
      about(message('Base.ResourceMissingAtURI', referencePath(uri)), `${at}${pointer}`),
    ),
  ]
}

/** A reference in a plan, and where it stands there. */
type PlanReference = readonly [pointer: string, uri: string]

/** Those to devices, as far as they can be read. */
function targetReferences({ Targets, ExcludeTargets, Aggregate }: JsonObject): PlanReference[] {
  return [
    ...referencesIn('/Targets', Targets),
    ...referencesIn('/ExcludeTargets', ExcludeTargets),
    ...(typeof Aggregate === 'string' ? [['/Aggregate', Aggregate] as const] : []),
  ]
}

/** Those to Aggregates, which are groups and tags. */
function groupReferences({ Filter: filter, MaintenanceWindows: windows }: JsonObject): PlanReference[] {
  const ofWindow = (window: unknown, index: number): PlanReference[] =>
    isObject(window) ? referencesIn(`/MaintenanceWindows/${index}/Groups`, window['Groups']) : []
  return [
    ...(isObject(filter) ? referencesIn('/Filter/Tags', filter['Tags']) : []),
    ...(Array.isArray(windows) ? windows.flatMap(ofWindow) : []),
  ]
}

function referencesIn(at: string, list: unknown): PlanReference[] {
  if (!Array.isArray(list)) return []
  return list.flatMap((uri: unknown, index) =>
    typeof uri === 'string' ? [[`${at}/${index}`, uri] as const] : [],
  )
}
