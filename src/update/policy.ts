import { firmwareId } from '../bmc/device-documents.ts'
import { type Bmc, type Component, findComponent, listComponents } from '../bmc/bmc.ts'
import { ANY_COMPONENT } from '../bmc/machine.ts'
import type { UpdateRequest } from '../bmc/operation.ts'
import {
  type Fits,
  type ImageComponent,
  type ImageContents,
  imageName,
  type Requirement,
} from '../image/image-format.ts'
import { type Message, message } from '../redfish/messages/message.ts'
import { inWordsOf, matcher } from './fits.ts'
import { isBelow, isInsecure, schemeOf, securityVersionOf } from './floors.ts'
import { compareVersions } from './version.ts'

/** What is to become of one component, or of one part of the image. */
export type Decision =
  | {
      readonly kind: 'update'
      readonly component: Component
      readonly image: ImageComponent
      /** Which of the image's components it is. */
      readonly part: number
      readonly why?: undefined
    }
  | {
      readonly kind: 'same-version' | 'too-low' | 'downgrade'
      readonly component: Component
      readonly image: ImageComponent
      readonly why?: Message | undefined
    }
  | {
      readonly kind: 'not-applicable'
      readonly component: Component
      readonly image: ImageComponent | undefined
      readonly why?: Message | undefined
    }
  | { readonly kind: 'no-target'; readonly image: ImageComponent; readonly why?: Message | undefined }

/** Decides from the image's contents and the components as they are now; nothing is changed. */
export function decide(bmc: Bmc, contents: ImageContents, asked: UpdateRequest): Decision[] {
  // Bytes of no format are for a component when somebody says so.
  const images = contents.components.filter(
    ({ fits }) => fits.kind !== 'named' || isNamed(fits.component, asked),
  )
  const isForAll = bmc.machine.updateRules.bundlesIgnoreTargets && images.length > 1
  const request = isForAll ? { ...asked, targets: undefined } : asked
  const components = namedDevices(bmc, request) ?? listComponents(bmc)
  const candidates = components.filter((component) => isCandidate(component, request))
  const findFor = matcher(components)
  const free = new Set(candidates.map(({ id }) => id))
  const taken = new Set<string>()
  const why = mismatch(bmc, contents)
  const decisions = images.flatMap((image): Decision[] => {
    // Where an image has several for a component, the first counts.
    const found = findFor(image.fits).filter(({ id }) => !taken.has(id))
    if (why !== undefined || found.length === 0) return [{ kind: 'no-target', image, why }]
    const own = onePerDevice(
      image.fits,
      found.filter(({ id }) => free.has(id)),
    )
    for (const { id } of own) taken.add(id)
    const part = contents.components.indexOf(image)
    return own.map((component) => {
      const other = mismatchOfDevice(bmc, component, contents)
      const worded = inWordsOf(component, image)
      if (other !== undefined) return { kind: 'not-applicable', component, image: worded, why: other }
      return judgeOne(bmc, component, { image: worded, part }, request)
    })
  })
  const matched = new Set(
    decisions.map((decision) => (decision.kind === 'no-target' ? '' : decision.component.id)),
  )
  const left = candidates.filter(({ id }) => request.targets !== undefined && !matched.has(id))
  return [
    ...decisions,
    ...ofDevicesWithout(decisions, left).map(
      (component) => ({ kind: 'not-applicable', component, image: images[0] }) as const,
    ),
  ]
}

/** Of a console that is asked for some of its devices: all that is on these; `undefined` where more may be meant. */
function namedDevices(bmc: Bmc, { targets }: UpdateRequest): Component[] | undefined {
  const { machine, state } = bmc
  if (targets === undefined || state.devices.size === 0) return undefined
  const ids = new Set([...targets].map((id) => machine.components.get(id)?.on?.device))
  const devices = [...ids].map((id) => (id === undefined ? undefined : state.devices.get(id)))
  if (devices.some((device) => device === undefined)) return undefined
  return devices.flatMap((device) =>
    (device?.facts.firmware ?? []).flatMap(
      (one) => findComponent(bmc, firmwareId(device?.id ?? '', one.id)) ?? [],
    ),
  )
}

function isNamed(component: string, { targets }: UpdateRequest): boolean {
  return component === ANY_COMPONENT ? targets !== undefined : targets?.has(component) === true
}

/** Those for which bytes of which nothing is known may be: of each device no more than one, or nobody could tell which. */
function onePerDevice(fits: Fits, own: readonly Component[]): readonly Component[] {
  if (fits.kind !== 'named' || fits.component !== ANY_COMPONENT) return own
  const byDevice = Map.groupBy(own, ({ on }) => on?.device)
  return own.filter(({ on }) => byDevice.get(on?.device)?.length === 1)
}

/** Of what a request names, that for which there is nothing: of a managed device no more than one, where none is served. */
function ofDevicesWithout(decisions: readonly Decision[], left: readonly Component[]): readonly Component[] {
  const told = new Set(decisions.flatMap((one) => (one.kind === 'no-target' ? [] : one.component.on?.device)))
  return left.filter(({ on }) => on === undefined || (!told.has(on.device) && told.add(on.device)))
}

/** Why nothing in the image is for this machine, where that is so. */
function mismatch({ machine }: Bmc, { machine: wanted, components }: ImageContents): Message | undefined {
  if (wanted === undefined || machine.models.has(wanted)) return undefined
  const [first] = components
  return message('Redflash.MachineMismatch', first === undefined ? wanted : imageName(first), wanted)
}

/** The same of the managed device that a component is on. */
function mismatchOfDevice(
  { state }: Bmc,
  { on }: Component,
  { machine: wanted, components }: ImageContents,
): Message | undefined {
  const model = on && state.devices.get(on.device)?.facts.model
  if (wanted === undefined || on === undefined || model === wanted) return undefined
  const [first] = components
  return message('Redflash.MachineMismatch', first === undefined ? wanted : imageName(first), wanted)
}

function isCandidate(component: Component, { targets, exclude }: UpdateRequest): boolean {
  if (targets !== undefined) return targets.has(component.id)
  // Lenovo XCC: an image for both BMCs goes to the primary; the backup is updated only when named.
  return component.updateable && !exclude.has(component.id) && component.behaviour.onlyWhenNamed !== true
}

function judgeOne(
  bmc: Bmc,
  component: Component,
  { image, part }: { readonly image: ImageComponent; readonly part: number },
  request: UpdateRequest,
): Decision {
  // What does not run is no version to stay at: the same image saves a component, and an older one does.
  const force = request.force || image.isForced === true || component.now.health === 'Critical'
  const subject = { component, image }
  const unfit = whyUnfit(bmc, component, image, request)
  if (unfit !== undefined) return { kind: 'not-applicable', ...subject, why: unfit }
  const insecure = whyInsecure(component, image)
  if (insecure !== undefined || isBelow(component, image))
    return { kind: 'too-low', ...subject, why: insecure }
  const order = compareToRunning(component, image)
  if (!force && order === 0) return { kind: 'same-version', ...subject }
  if (!force && order < 0) return { kind: 'downgrade', ...subject }
  return { kind: 'update', ...subject, part }
}

/** What keeps the image from being installed at all. */
function whyUnfit(
  bmc: Bmc,
  component: Component,
  image: ImageComponent,
  { stage }: UpdateRequest,
): Message | undefined {
  if (component.now.isWriteProtected === true) return message('Redflash.WriteProtected', component.uri)
  if (stage && component.behaviour.spare === undefined)
    return message('Redflash.StagingNotSupported', component.uri)
  const missing = image.requires.find((requirement) => !isMet(bmc, component, requirement))
  if (missing === undefined) return undefined
  const { component: other, min } = missing
  return message('Redflash.RequirementNotMet', imageName(image), component.uri, other, min)
}

/** Why it would be a step back that nothing allows. */
function whyInsecure(component: Component, image: ImageComponent): Message | undefined {
  if (!isInsecure(component, image)) return undefined
  return message(
    'Redflash.SecurityVersionTooLow',
    imageName(image),
    component.uri,
    String(image.securityVersion ?? 'none'),
    String(securityVersionOf(component, component.now)),
  )
}

/** Whether the image is older than what runs (negative), the same (0) or newer. */
function compareToRunning(component: Component, { version, comparisonStamp }: ImageComponent): number {
  const { now, behaviour } = component
  const running = now.comparisonStamp ?? behaviour.identity?.pldm?.comparisonStamp
  // DSP0267: where the package says so, its stamp tells what is newer, whatever the versions look like.
  if (comparisonStamp !== undefined && running !== undefined) return comparisonStamp - running
  return compareVersions(version, now.version, schemeOf(component))
}

/** Whether some component of that Id or SoftwareId, on the same device, is at least at the required version. */
function isMet(bmc: Bmc, { on }: Component, { component: wanted, min }: Requirement): boolean {
  return listComponents(bmc).some(
    (component) =>
      component.on?.device === on?.device &&
      [component.id, component.softwareId, component.on?.firmware].includes(wanted) &&
      compareVersions(component.now.version, min, schemeOf(component)) >= 0,
  )
}
