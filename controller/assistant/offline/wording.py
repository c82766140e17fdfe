"""Small closed word lists of both languages that the code itself looks at; the rest is in the YAML."""

import re

from controller.assistant.language import word_set

AND = frozenset({"en", "and", "plus", "&"})
BEHIND = frozenset({"folder", "directory", "map", "mapje", "file", "bestand"})
NAMING = word_set("genaamd genoemd geheten named called titled naam name heet labelled")
DETERMINERS = word_set(
    "de het een the a an my mijn our onze this that deze die dat dit your jouw m'n 'n these those its"
)
INDEFINITE = word_set("een a an 'n new nieuw nieuwe another extra leeg lege empty blank")
PUTTING = word_set("zet plaats put place stop zetten plaatsen")
SAVING = word_set("sla bewaar save store type enter noteer")
HARDWARE = word_set(
    "laptop computer pc server desktop tablet telefoon phone mobiel iphone ipad mac macbook imac printer tv televisie nas"
    " router notebook machine apparaat device systeem system toestel raspberry"
)
# programs that run unseen: whether one runs is asked of the system's services, not of its windows
SERVICES = word_set(
    "nginx apache apache2 httpd caddy traefik ssh sshd cups cupsd docker dockerd containerd mosquitto postgres postgresql"
    " mysql mysqld mariadb redis mongodb mongod samba smb smbd nmbd nfs cron crond bluetooth networkmanager avahi ufw"
    " firewalld fail2ban rsyslog systemd-resolved spooler wireguard openvpn tailscale tailscaled grafana prometheus"
    " influxdb telegraf homeassistant jellyfin plex plexmediaserver ollama tomcat jenkins haproxy squid bind named dnsmasq pihole"
)
# what a thing is like, rather than what it is called: "the oldest folder" has no name here
ADJECTIVES = word_set(
    "older newer bigger larger smaller remaining missing existing following old new big small large huge empty last first latest recent temporary wrong right same other whole entire current main"
    " hidden duplicate useless broken unnecessary full good bad nice simple separate own private public local remote next"
    " previous single double random certain correct similar different personal parent root sub top bottom"
    " leeg nieuw oud groot klein apart eigen extra ander tijdelijk goed fout los vol los zelfde enkel oude nieuwe grote kleine lege aparte eigen tijdelijke goede foute volle losse enkele hele overige"
)
OWN_FOLDERS = word_set("documents documenten downloads")
ORIGINS = word_set("from van vanuit of off vanaf")
GENERIC = re.compile(
    r"(?:(?:this|that|my|the|our|deze|dit|die|dat|mijn|de|het|onze|local|eigen)\s+)*"
    r"(?:computer|machine|device|apparaat|systeem|system|toestel)|here|hier|(?:this|deze|dit)\s+(?:pc|laptop|one|server|mac)|it|hem"
)
