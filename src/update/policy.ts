import { type Bmc, type Component, listComponents } from '../bmc/bmc.ts'
import type { ImageComponent, ImageContents } from '../image/image-format.ts'
import type { ApplyTime } from '../redfish/apply-times.ts'
import { compareVersions } from './version.ts'

/** What a request asks for, its references resolved to component Ids. */
export interface UpdateRequest {
  /** The components that the request names; `undefined` where the service decides. */
  readonly targets: ReadonlySet<string> | undefined
  readonly exclude: ReadonlySet<string>
  readonly force: boolean
  /** When the devices are to be written. */
  readonly applyTime: ApplyTime
  /** Whether the image is to wait on the devices until a client activates it. */
  readonly stage: boolean
  /** Whether the image is to be kept by the service, too. */
  readonly keepsImage: boolean
}

/** What is to become of one component, or of one part of the image. */
export type Decision =
  | { readonly kind: 'update'; readonly component: Component; readonly image: ImageComponent }
  | { readonly kind: 'same-version'; readonly component: Component; readonly image: ImageComponent }
  | { readonly kind: 'too-low'; readonly component: Component; readonly image: ImageComponent }
  | { readonly kind: 'downgrade'; readonly component: Component; readonly image: ImageComponent }
  | {
      readonly kind: 'not-applicable'
      readonly component: Component
      readonly image: ImageComponent | undefined
    }
  | { readonly kind: 'no-target'; readonly image: ImageComponent }

/** Decides from the image's contents and the components as they are now; nothing is changed. */
export function decide(bmc: Bmc, { components: images }: ImageContents, asked: UpdateRequest): Decision[] {
  const isForAll = bmc.machine.updateRules.bundlesIgnoreTargets && images.length > 1
  const request = isForAll ? { ...asked, targets: undefined } : asked
  const components = listComponents(bmc)
  const candidates = components.filter((component) => isCandidate(component, request))
  const decisions = images.flatMap((image): Decision[] => {
    const isFor = (component: Component): boolean => component.softwareId === image.softwareId
    if (!components.some(isFor)) return [{ kind: 'no-target', image }]
    return candidates.filter(isFor).map((component) => judgeOne(bmc, component, image, request))
  })
  const matched = new Set(
    decisions.map((decision) => (decision.kind === 'no-target' ? '' : decision.component.id)),
  )
  const left = candidates.filter(({ id }) => request.targets !== undefined && !matched.has(id))
  return [
    ...decisions,
    ...left.map((component) => ({ kind: 'not-applicable', component, image: images[0] }) as const),
  ]
}

function isCandidate(component: Component, { targets, exclude }: UpdateRequest): boolean {
  if (targets !== undefined) return targets.has(component.id)
  // Lenovo XCC: an image for both BMCs goes to the primary; the backup is updated only when named.
  return component.updateable && !exclude.has(component.id) && component.behaviour.onlyWhenNamed !== true
}

function judgeOne(bmc: Bmc, component: Component, image: ImageComponent, request: UpdateRequest): Decision {
  // What does not run is no version to stay at: the same image saves a component, and an older one does.
  const force = request.force || component.now.health === 'Critical'
  const subject = { component, image }
  const scheme = versionScheme(component)
  const isProtected = component.now.isWriteProtected === true
  const cannotWait = request.stage && component.behaviour.spare === undefined
  if (isProtected || cannotWait || image.requires.some((requirement) => !isMet(bmc, requirement)))
    return { kind: 'not-applicable', ...subject }
  if (isTooLow(component, image.version)) return { kind: 'too-low', ...subject }
  const order = compareVersions(image.version, component.now.version, scheme)
  if (!force && order === 0) return { kind: 'same-version', ...subject }
  if (!force && order < 0) return { kind: 'downgrade', ...subject }
  return { kind: 'update', ...subject }
}

/** A hard policy, which nothing bypasses: below its minimum no version runs (SoftwareInventory.LowestSupportedVersion). */
export function isTooLow(component: Component, version: string): boolean {
  const floor = component.lowestSupportedVersion
  return floor !== undefined && compareVersions(version, floor, versionScheme(component)) < 0
}

/** Whether some component of that Id or SoftwareId is at least at the required version. */
function isMet(bmc: Bmc, { component: wanted, min }: ImageComponent['requires'][number]): boolean {
  return listComponents(bmc).some(
    (component) =>
      (component.id === wanted || component.softwareId === wanted) &&
      compareVersions(component.now.version, min, versionScheme(component)) >= 0,
  )
}

function versionScheme({ resource }: Component): string | undefined {
  const scheme = resource['VersionScheme']
  return typeof scheme === 'string' ? scheme : undefined
}
