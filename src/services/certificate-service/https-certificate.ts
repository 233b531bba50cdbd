import type { Bmc, BmcAction, Row } from '../../bmc/bmc.ts'
import { certificateView } from '../../bmc/certificate-view.ts'
import { managerPath, servedBelow } from '../../bmc/serving-manager.ts'
import type { Certificates } from '../../http/certificates.ts'
import { type Static, Type } from '../../lib/schema.ts'
import { collection, link } from '../../redfish/resource.ts'
import type { Call } from '../../redfish/resource-table.ts'
import { uris } from '../../redfish/uris.ts'
import { ENCODABLE, keyKind, keyParameters } from './key-parameters.ts'

const REKEY = 'Certificate.Rekey'
const RENEW = 'Certificate.Renew'
const closed = { additionalProperties: false }

const Challenge = Type.Optional(Type.String({ minLength: 1, maxLength: 256, pattern: ENCODABLE }))
const RenewParameters = Type.Object({ ChallengePassword: Challenge }, closed)
const RekeyParameters = Type.Object({ ChallengePassword: Challenge, ...keyParameters }, closed)

/** The HTTPS certificate of the manager that serves Redfish; other managers have none. */
export function httpsCertificateRows(certificates: Certificates): Row[] {
  return [
    {
      path: uris.httpsCertificates(managerPath),
      type: 'CertificateCollection',
      view: servedBelow(uris.httpsCertificates, (_bmc, manager) =>
        collection('CertificateCollection', uris.httpsCertificates(manager), 'HTTPS certificates', [
          uris.httpsCertificate(manager),
        ]),
      ),
    },
    {
      path: uris.httpsCertificate(managerPath),
      type: 'Certificate',
      prepare: (bmc) => (bmc.state.network.certificate === undefined ? certificates.show(bmc) : undefined),
      view: servedBelow(uris.httpsCertificate, (bmc, manager) => {
        const uri = uris.httpsCertificate(manager)
        return {
          ...certificateView(uri, 'HTTPS certificate', bmc.state.network.certificate),
          Actions: {
            [`#${REKEY}`]: { target: uris.action(uri, REKEY) },
            [`#${RENEW}`]: { target: uris.action(uri, RENEW) },
          },
        }
      }),
      actions: {
        [REKEY]: requestAgain(RekeyParameters, async ({ bmc, body }) => {
          const { ChallengePassword, ...key } = body as Static<typeof RekeyParameters>
          return certificates.requestAgain(bmc, keyKind(key, REKEY), ChallengePassword)
        }),
        [RENEW]: requestAgain(RenewParameters, ({ bmc, body }) => {
          const { ChallengePassword } = body as Static<typeof RenewParameters>
          return certificates.requestAgain(bmc, undefined, ChallengePassword)
        }),
      },
    },
  ]
}

/** An action that answers with a signing request for the same certificate. */
function requestAgain(
  parameters: BmcAction['parameters'],
  request: (call: Call<Bmc>) => Promise<string>,
): BmcAction {
  return {
    parameters,
    run: async (call) => {
      const CSRString = await request(call)
      const Certificate = link(uris.httpsCertificate(call.bmc.machine.manager))
      return { status: 200, body: { Certificate, CSRString } }
    },
  }
}
