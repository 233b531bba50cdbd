import { type Bmc, type Component, listComponents } from '../bmc/bmc.ts'
import type { ImageComponent, ImageContents } from '../image/image-format.ts'
import { compareVersions } from './version.ts'

/** What a request asks for, its references resolved to component Ids. */
export interface UpdateRequest {
  /** The components that the request names; `undefined` where the service decides. */
  readonly targets: ReadonlySet<string> | undefined
  readonly exclude: ReadonlySet<string>
  readonly force: boolean
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
export function decide(bmc: Bmc, { components: images }: ImageContents, request: UpdateRequest): Decision[] {
  const components = listComponents(bmc)
  const candidates = components.filter((component) => isCandidate(component, request))
  const decisions = images.flatMap((image): Decision[] => {
    const isFor = (component: Component): boolean => component.softwareId === image.softwareId
    if (!components.some(isFor)) return [{ kind: 'no-target', image }]
    return candidates.filter(isFor).map((component) => judgeOne(bmc, component, image, request.force))
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

function judgeOne(bmc: Bmc, component: Component, image: ImageComponent, force: boolean): Decision {
  const subject = { component, image }
  const scheme = versionScheme(component)
  const floor = component.lowestSupportedVersion
  if (image.requires.some((requirement) => !isMet(bmc, requirement)))
    return { kind: 'not-applicable', ...subject }
  // A hard policy: ForceUpdate may not go below the minimum (SoftwareInventory.LowestSupportedVersion).
  if (floor !== undefined && compareVersions(image.version, floor, scheme) < 0)
    return { kind: 'too-low', ...subject }
  const order = compareVersions(image.version, component.now.version, scheme)
  if (!force && order === 0) return { kind: 'same-version', ...subject }
  if (!force && order < 0) return { kind: 'downgrade', ...subject }
  return { kind: 'update', ...subject }
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
