// @jessie-check
// The program of the escrow agent's host. It knows neither the traders nor the issuers, and is the one of
// `../escrow`: traders reach it by the sturdyref of its root.

import makeAgent from '../escrow/agent.js';

export default () => makeAgent();
