#!/bin/sh
# Take the browser's part of Swagger UI from npm into the package, in the version that tests/node/package.json names.
# A test compares what lies here with what npm gives. To go to another version: change that file, then
#   (cd tests/node && npm install --package-lock-only) && sh scripts/vendor.sh
set -eu
cd "$(dirname "$0")/.."

to=controller/api/docs/assets
from=tests/node/node_modules/swagger-ui-dist

command -v npm >/dev/null || { echo "vendor: npm is not installed: apt-get install nodejs npm" >&2; exit 1; }
(cd tests/node && npm ci --silent)
cp "$from/swagger-ui-bundle.js" "$from/swagger-ui-bundle.js.LICENSE.txt" "$from/swagger-ui.css" "$from/LICENSE" "$from/NOTICE" "$to/"
