import { isObject, type JsonObject, linkUris } from '../../redfish/resource.ts'
import { textIn } from './connection.ts'

/** Whether an inventory item is an image that stands by for another item, and no firmware of its own. */
export function isStandby(item: JsonObject): boolean {
  const links = isObject(item['Links']) ? item['Links'] : {}
  const hasTargets = ['StagedTargets', 'ActiveTargets'].some((name) => linkUris(links[name]).length > 0)
  return item['Staged'] === true || hasTargets
}

/** The images beside an item that can be activated: of its SoftwareId and, where others have that, of what it is of. */
export function standbyFor(items: readonly JsonObject[], item: JsonObject): readonly JsonObject[] {
  const softwareId = textIn(item, 'SoftwareId')
  if (softwareId === undefined) return []
  const alike = items.filter((one) => textIn(one, 'SoftwareId') === softwareId)
  const isOnly = alike.filter((one) => !isStandby(one)).length === 1
  return alike.filter(
    (one) =>
      isStandby(one) && activateAction(one) !== undefined && (isOnly || relatedTo(one) === relatedTo(item)),
  )
}

/** Where an image that stands by is asked to become the one that runs (SoftwareInventory v1_11, Activate). */
export function activateAction(item: JsonObject | undefined): string | undefined {
  const actions = item?.['Actions']
  const action = isObject(actions) ? actions['#SoftwareInventory.Activate'] : undefined
  return isObject(action) ? textIn(action, 'target') : undefined
}

function relatedTo(item: JsonObject): string {
  return linkUris(item['RelatedItem']).toSorted().join(' ')
}
