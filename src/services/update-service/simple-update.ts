import type { Bmc, BmcAction } from '../../bmc/bmc.ts'
import type { Payload } from '../../bmc/state.ts'
import { accepted } from '../../http/accepted.ts'
import type { ImageStore } from '../../image/store.ts'
import { fail, type Result, succeed } from '../../lib/result.ts'
import { Type } from '../../lib/schema.ts'
import { RedfishError } from '../../redfish/errors.ts'
import { about, type Message, message } from '../../redfish/messages/message.ts'
import type { JsonObject } from '../../redfish/resource.ts'
import type { Answer, Call } from '../../redfish/resource-table.ts'
import { withoutSecrets } from '../../redfish/secrets.ts'
import { referencePath, uris } from '../../redfish/uris.ts'
import { type Readable, readable } from '../../redfish/validation.ts'
import { shownUri } from '../../update/stages/transfer-to-manager.ts'
import type { Updates } from '../../update/updates.ts'
import { identityOf } from '../../update/identity.ts'
import type { TransferProtocol } from '../../transfer/fetch.ts'
import { decoded } from '../../transfer/file-name.ts'
import type { UpdateRequest } from '../../bmc/operation.ts'
import { requireEnabled } from './enabled.ts'
import {
  ownProperties,
  requestOf,
  type UpdateProperties,
  updateProperties,
  type Wording,
} from './parameters.ts'
import { started } from './started.ts'

export const SIMPLE_UPDATE = 'UpdateService.SimpleUpdate'
/** SimpleUpdate is closed to additions: what is asked of our own goes with an action of our own. */
export const OWN_SIMPLE_UPDATE = 'Oem/RedflashUpdateService.SimpleUpdate'
const SCHEME = /^([a-z][a-z0-9+.-]*):\/\//i
/** A path of this service; with two slashes it would name a host. */
const OWN_PATH = /^\/(?!\/)/
const HIDDEN = '******'

/** What a pull needs of the house. */
export interface PullOptions {
  readonly updates: Updates
  readonly images: ImageStore
  /** Protocols that work here: what TransferProtocol may say. */
  readonly protocols: readonly TransferProtocol[]
}

/** What says where an image comes from. */
export const sourceProperties = ({ protocols }: Pick<PullOptions, 'protocols'>) => ({
  ImageURI: Type.String({ minLength: 1 }),
  TransferProtocol: Type.Optional(Type.Unsafe<TransferProtocol>({ type: 'string', enum: protocols })),
  Username: Type.Optional(Type.String()),
  Password: Type.Optional(Type.String()),
})

/** UpdateService.SimpleUpdate: the service fetches the image itself (UpdateService v1_17); or our own, which takes more. */
export function simpleUpdate(action: PullAction, options: PullOptions): BmcAction {
  const parameters = Type.Object(
    {
      ...updateProperties,
      ...(action === OWN_SIMPLE_UPDATE && ownProperties),
      ...sourceProperties(options),
    },
    { additionalProperties: false },
  )
  return {
    parameters,
    mistakes: ({ bmc, body }, found) => {
      return understand(bmc, readable<Asked>(body, found), options, wordingOf(action)).mistakes
    },
    run: (call) => {
      requireEnabled(call.bmc)
      return pull(call, call.body as Asked, { ...options, action }) // judged when it came
    },
  }
}

type PullAction = typeof SIMPLE_UPDATE | typeof OWN_SIMPLE_UPDATE

/** One of the actions at work. */
interface Pulling extends PullOptions {
  readonly action: PullAction
}

/** What SimpleUpdate's ActionInfo says of its parameters; it tells the truth about this service. */
export function simpleUpdateParameters(
  action: PullAction,
  bmc: Bmc,
  protocols: readonly TransferProtocol[],
): readonly JsonObject[] {
  const flag = (Name: string): JsonObject => ({
    Name,
    Required: false,
    DataType: 'Boolean',
    DefaultValue: 'false',
  })
  return [
    { Name: 'ImageURI', Required: true, DataType: 'String' },
    { Name: 'TransferProtocol', Required: false, DataType: 'String', AllowableValues: protocols },
    { Name: 'Targets', Required: false, DataType: 'StringArray' },
    { Name: 'ExcludeTargets', Required: false, DataType: 'StringArray' },
    { Name: 'Username', Required: false, DataType: 'String' },
    { Name: 'Password', Required: false, DataType: 'String' },
    flag('ForceUpdate'),
    flag('Stage'),
    flag('LocalImage'),
    ...(action === OWN_SIMPLE_UPDATE
      ? [flag('DryRun'), { Name: 'ImageSHA256', Required: false, DataType: 'String' }]
      : []),
    ...(action === OWN_SIMPLE_UPDATE && bmc.machine.managesDevices
      ? [{ Name: 'RollOut', Required: false, DataType: 'Object' }]
      : []),
    {
      Name: '@Redfish.OperationApplyTime',
      Required: false,
      DataType: 'String',
      AllowableValues: bmc.machine.updateRules.applyTimes,
    },
  ]
}

/** What clients say of an image that is to be fetched. */
export interface Asked extends UpdateProperties {
  readonly ImageURI: string
  readonly TransferProtocol?: string
  readonly Username?: string
  readonly Password?: string
}

/** Where the image is: on a server, or kept by this service itself. */
type Place = ({ readonly kind: 'remote' } & Server) | { readonly kind: 'own'; readonly path: string }

interface Server {
  readonly uri: URL
  readonly username: string | undefined
  readonly password: string | undefined
}

async function pull({ bmc, actor }: Call<Bmc>, asked: Asked, options: Pulling): Promise<Answer> {
  const { place, request, mistakes } = understand(bmc, asked, options, wordingOf(options.action))
  if (place?.ok !== true || !request.ok) throw new RedfishError(400, mistakes)
  const { updates, images } = options
  const order = { payload: payloadOf(options.action, asked, place.value), actor }
  if (place.value.kind === 'remote') {
    const { kind, ...server } = place.value
    const source = { kind, request: { ...server, identity: identityOf(bmc) } }
    return accepted(started(updates.startPull(bmc, source, request.value, order)))
  }
  const own = await images.find(bmc, place.value.path)
  if (own === undefined) throw new RedfishError(400, missing(place.value.path))
  const result = updates.start(bmc, own, request.value, order)
  if (!result.ok) await own.spooled.discard()
  return accepted(started(result))
}

interface Understood {
  /** `undefined` where nothing says it. */
  readonly place: Result<Place, Message> | undefined
  readonly request: Result<UpdateRequest, readonly Message[]>
  readonly mistakes: readonly Message[]
}

/** What the parameters, as far as they can be read, mean on this BMC, and all that is wrong with that. */
export function understand(
  bmc: Bmc,
  asked: Readable<Asked>,
  { images, protocols }: PullOptions,
  wording: Wording,
): Understood {
  const { ImageURI } = asked
  const place =
    typeof ImageURI !== 'string'
      ? undefined
      : OWN_PATH.test(ImageURI)
        ? ownPlace(bmc, ImageURI, images)
        : serverOf({ ...asked, ImageURI }, protocols, wording)
  const request = requestOf(bmc, asked, wording)
  const mistakes = [...(place?.ok === false ? [place.problem] : []), ...(request.ok ? [] : request.problem)]
  return { place, request, mistakes }
}

function ownPlace(bmc: Bmc, reference: string, images: ImageStore): Result<Place, Message> {
  const path = referencePath(reference)
  return images.idOf(bmc, path) === undefined ? fail(missing(path)) : succeed({ kind: 'own', path })
}

/** A scheme in ImageURI counts more than TransferProtocol, and without either it is HTTP. */
function serverOf(
  asked: Readable<Asked> & Pick<Asked, 'ImageURI'>,
  protocols: readonly string[],
  wording: Wording,
): Result<Place, Message> {
  const { ImageURI } = asked
  const TransferProtocol = asked.TransferProtocol ?? 'HTTP'
  const scheme = SCHEME.exec(ImageURI)?.[1] ?? TransferProtocol.toLowerCase()
  const text = SCHEME.test(ImageURI) ? ImageURI : `${scheme}://${ImageURI}`
  const protocol = schemeNames[scheme.toLowerCase()] ?? scheme.toUpperCase()
  if (!protocols.includes(protocol)) return fail(atImage(wording.notInList(protocol, 'TransferProtocol')))
  if (!URL.canParse(text) || new URL(text).hostname === '')
    return fail(atImage(message('Base.InvalidObject', unreadable(text))))
  const uri = new URL(text)
  const username = asked.Username ?? nonEmpty(decoded(uri.username))
  const password = asked.Password ?? nonEmpty(decoded(uri.password))
  uri.username = ''
  uri.password = ''
  return succeed({ kind: 'remote', uri, username, password })
}

/** Of the parameters of an action. */
function wordingOf(action: PullAction): Wording {
  const name = action.replace('Oem/', '')
  return {
    conflict: (parameter) => message('Base.ActionParameterValueError', parameter, name),
    notInList: (value, parameter) => message('Base.ActionParameterValueNotInList', value, parameter, name),
    unknown: (parameter) => message('Base.ActionParameterUnknown', name, parameter),
    own: '',
  }
}

/** Schemes whose protocol TransferProtocolType names otherwise. */
const schemeNames: Readonly<Record<string, string>> = { ftps: 'FTP', smb: 'CIFS' }

function nonEmpty(text: string): string | undefined {
  return text === '' ? undefined : text
}

function missing(path: string): Message {
  return atImage(message('Base.ResourceMissingAtURI', path))
}

function atImage(one: Message): Message {
  return about(one, '/ImageURI')
}

/** What may be shown of a URI that cannot be read: there is no telling where in it a name, a password or a token is. */
function unreadable(text: string): string {
  return text.includes('@') ? HIDDEN : text.replace(/[?#].*$/s, '')
}

/** The request as the task shows it. */
function payloadOf(action: PullAction, asked: Asked, place: Place): Payload {
  const ImageURI = place.kind === 'own' ? place.path : shownUri(place.uri)
  const shown = { ...asked, ImageURI, ...(asked.Username !== undefined && { Username: HIDDEN }) }
  return {
    targetUri: uris.action(uris.updateService, action),
    httpHeaders: ['Content-Type: application/json'],
    jsonBody: JSON.stringify(shown, withoutSecrets),
  }
}
