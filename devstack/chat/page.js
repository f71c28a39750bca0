import converse from './dist/converse.min.js';

const { jid, password, desk, websocket, assets } = document.body.dataset;

converse.initialize({
    jid,
    password,
    authentication: 'login',
    auto_login: true,
    auto_join_private_chats: [desk],
    websocket_url: websocket,
    discover_connection_methods: false,
    assets_path: assets,
    // One tab, one person: nothing is shared with the other people's tabs.
    persistent_store: 'sessionStorage',
    keepalive: false,
    reuse_scram_keys: false,
    singleton: true,
    view_mode: 'embedded',
    i18n: 'en',
    locales: ['en'],
    loglevel: 'warn',
    play_sounds: false,
    show_desktop_notifications: false,
    // What the desk cannot read or follow.
    blacklisted_plugins: ['converse-omemo', 'converse-omemo-views', 'converse-register', 'converse-push'],
    allow_message_corrections: false,
    allow_message_retraction: false,
    // Nothing is fetched from elsewhere.
    render_media: false,
    fetch_url_headers: false,
    embed_3rd_party_media_players: false,
    autocomplete_providers_url: '',
    visible_toolbar_buttons: { call: false, clear: false, emoji: true, location: false, spoiler: false, toggle_occupants: false },
});
