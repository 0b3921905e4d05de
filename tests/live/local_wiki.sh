#!/bin/bash
# A real MediaWiki 1.39 with PageImages on this machine, for the live tests: PHP's own server, SQLite, loopback only.
#
#   local_wiki.sh build DIR PORT       from Debian's packages, unpacked into DIR and not installed (45 MB download)
#   local_wiki.sh seed DIR CONTENT     new pictures of CONTENT/images, pages of CONTENT/pages (file name = title), licences
#   local_wiki.sh serve DIR PORT       the wiki, in the foreground
#   local_wiki.sh front DIR PORT FRONT nginx on FRONT before the wiki: 429 over 5 requests per second, 403 without an agent
#
# Needs Debian 12 with apt-get, dpkg-deb and network to Debian's mirror for `build` alone (run `apt-get update` before).
# Shared libraries that a bare Debian lacks are named, with the command that installs them.
# Wikipedia differs: its search ranks otherwise, pictures come from Commons, and rates are limited (docs/images.md).
set -euo pipefail

usage() { sed -n '2,8p' "$0" | sed 's/^# \{0,1\}//' >&2; exit 2; }
[ $# -ge 3 ] || usage
STEP=$1; mkdir -p "$2"; DIR=$(cd "$2" && pwd)

PACKAGES="mediawiki mediawiki-classes php8.2-cli php8.2-common php8.2-sqlite3 php8.2-gd php8.2-intl php8.2-mbstring
php8.2-xml php8.2-curl php8.2-opcache librsvg2-bin nginx"
LIBRARIES="libgd3 libicu72 libonig5 libxml2 libsqlite3-0 libcurl4 librsvg2-2 libcairo2 libpango-1.0-0
libpangocairo-1.0-0 libgdk-pixbuf-2.0-0 libpcre2-8-0 libssl3"

unpack() {
    mkdir -p "$DIR/debs" "$DIR/unpacked"
    # shellcheck disable=SC2086  # the list is meant to be split
    (cd "$DIR/debs" && ls mediawiki_*.deb nginx_*.deb >/dev/null 2>&1 || apt-get -qq download $PACKAGES)
    for package in "$DIR"/debs/*.deb; do dpkg-deb -x "$package" "$DIR/unpacked"; done
    local missing
    missing=$(ldd "$DIR"/unpacked/usr/bin/php8.2 "$DIR"/unpacked/usr/lib/php/20220829/*.so "$DIR/unpacked/usr/bin/rsvg-convert" \
        "$DIR/unpacked/usr/sbin/nginx" | grep 'not found' || true)
    if [ -n "$missing" ]; then
        echo "shared libraries are missing:"$'\n'"$missing" >&2
        echo "install them: apt-get install -y --no-install-recommends" $LIBRARIES >&2
        exit 1
    fi
}

write_wrappers() {
    local modules="calendar ctype dom exif fileinfo gd iconv intl mbstring pdo pdo_sqlite phar posix simplexml sockets"
    modules="$modules sqlite3 tokenizer xml xmlreader xmlwriter curl"
    {
        echo '#!/bin/bash'
        echo "E=$DIR/unpacked/usr/lib/php/20220829; OPTIONS=()"
        echo "for m in $modules; do OPTIONS+=(-d extension=\$m.so); done"
        echo "exec $DIR/unpacked/usr/bin/php8.2 -n -d extension_dir=\$E -d zend_extension=\$E/opcache.so \\"
        echo '    -d opcache.enable_cli=1 "${OPTIONS[@]}" -d memory_limit=512M -d date.timezone=UTC "$@"'
    } > "$DIR/php.sh"
    printf '#!/bin/bash\nexec %s -w "$1" -h "$2" -o "$4" "$3"\n' "$DIR/unpacked/usr/bin/rsvg-convert" > "$DIR/rsvg.sh"
    chmod +x "$DIR/php.sh" "$DIR/rsvg.sh"
    cat > "$DIR/router.php" <<'PHP'
<?php
// Only the API and pictures are served.
$path = urldecode( parse_url( $_SERVER['REQUEST_URI'], PHP_URL_PATH ) );
if ( $path === '/api.php' || ( str_starts_with( $path, '/images/' ) && is_file( __DIR__ . '/www' . $path ) ) ) {
    return false;
}
http_response_code( 404 );
PHP
    cat > "$DIR/magic.php" <<'PHP'
<?php
$magicWords = [ 'en' => [ 'disambiguation' => [ 0, '__DISAMBIG__' ] ] ];
PHP
}

install_wiki() {
    rm -rf "$DIR/www" "$DIR/db"; mkdir -p "$DIR/db"
    cp -a "$DIR/unpacked/usr/share/mediawiki" "$DIR/www"
    cd "$DIR/www"
    rm -rf LocalSettings.php config extensions images; mv extensions-core extensions; mkdir -p images cache
    find extensions -mindepth 1 -maxdepth 1 ! -name PageImages -exec rm -rf {} +
    rm -rf skins/MinervaNeue skins/Timeless skins/MonoBook
    find . -path '*i18n*' -name '*.json' ! -name en.json -delete
    ../php.sh maintenance/install.php --dbtype sqlite --dbpath "$DIR/db" --dbname wiki --scriptpath "" \
        --server "http://127.0.0.1:$PORT" --pass "loopback-$RANDOM-$RANDOM" --with-extensions=PageImages LocalWiki Admin \
        > "$DIR/install.log" 2>&1 || { tail -5 "$DIR/install.log" >&2; exit 1; }
    [ -f "$DIR/licences.json" ] || echo '{}' > "$DIR/licences.json"
    sed "s|@DIR@|$DIR|g; s|@PORT@|$PORT|g" >> LocalSettings.php <<'PHP'
$wgServer = 'http://' . ( $_SERVER['HTTP_HOST'] ?? '127.0.0.1:@PORT@' );
$wgEnableUploads = true; $wgUseImageMagick = false; $wgUseInstantCommons = false; $wgJobRunRate = 0;
$wgFileExtensions = array_merge( $wgFileExtensions, [ 'svg', 'webp', 'gif' ] );
$wgSVGConverters['rsvg-local'] = '@DIR@/rsvg.sh $width $height $input $output'; $wgSVGConverter = 'rsvg-local';
$wgMaxShellMemory = 0; $wgMainCacheType = CACHE_NONE; $wgParserCacheType = CACHE_NONE; $wgCacheDirectory = '@DIR@/www/cache';
// Debian ships neither Disambiguator nor CommonsMetadata: these hooks give what they would give.
$wgHooks['GetDoubleUnderscoreIDs'][] = static function ( &$ids ) { $ids[] = 'disambiguation'; };
$wgExtensionMessagesFiles['LocalDisambiguation'] = '@DIR@/magic.php';
$wgHooks['GetExtendedMetadata'][] = static function ( &$metadata, $file ) {
    $known = json_decode( file_get_contents( '@DIR@/licences.json' ), true )[ $file->getName() ] ?? [];
    foreach ( $known as $name => $value ) {
        $metadata[$name] = [ 'value' => $value, 'source' => 'commons-desc-page', 'hidden' => '' ];
    }
};
PHP
}

case $STEP in
build)
    PORT=$3; unpack; write_wrappers; install_wiki; echo "built in $DIR" ;;
seed)
    CONTENT=$(cd "$3" && pwd); cp "$CONTENT/licences.json" "$DIR/licences.json"; cd "$DIR/www"
    ../php.sh maintenance/importImages.php --extensions=jpg,jpeg,png,svg,gif,webp "$CONTENT/images" > "$DIR/seed.log" 2>&1
    ../php.sh maintenance/importTextFiles.php -s seed --overwrite "$CONTENT"/pages/*.txt >> "$DIR/seed.log" 2>&1
    ../php.sh maintenance/runJobs.php >> "$DIR/seed.log" 2>&1
    ../php.sh maintenance/refreshLinks.php >> "$DIR/seed.log" 2>&1
    echo "seeded from $CONTENT" ;;
serve)
    cd "$DIR/www"; exec env PHP_CLI_SERVER_WORKERS=2 ../php.sh -S "127.0.0.1:$3" -t . ../router.php ;;
front)
    [ $# -eq 4 ] || usage
    mkdir -p "$DIR/nginx"
    sed "s|@DIR@|$DIR/nginx|g; s|@PORT@|$3|g; s|@FRONT@|$4|g" "$(dirname "${BASH_SOURCE[0]}")/nginx.conf" > "$DIR/nginx/nginx.conf"
    exec "$DIR/unpacked/usr/sbin/nginx" -p "$DIR/nginx" -e "$DIR/nginx/error.log" -c "$DIR/nginx/nginx.conf" ;;
*) usage ;;
esac
