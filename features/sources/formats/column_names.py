"""What columns are called by shops, feeds, exports and judging tools, in the languages in which shops keep tables.

Names are folded: no capitals, accents, blanks and signs. Of several the likelier stands first. A word that means two
things in one table stands by the likelier alone: what is guessed is said, and a person reads it.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping

Names = Mapping[str, tuple[str, ...]]
_NO_ACCENTS = str.maketrans({"ł": "l", "ø": "o", "đ": "d", "æ": "ae", "œ": "oe", "ı": "i"})


def fold(name: str) -> str:
    """Without capitals, accents, blanks and signs; letters of all scripts stay."""
    plain = unicodedata.normalize("NFKD", name.casefold().translate(_NO_ACCENTS))
    return re.sub(r"[\W_]", "", "".join(sign for sign in plain if not unicodedata.combining(sign)))


def _words(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(fold(word) for word in text.split()))


_PRODUCT_ID = _words("""
    productid productuid itemid variantsku sku articleid articlenumber asin id docid uid code gtin ean handle
    productnumber productcode itemnumber itemcode partnumber mpn
    artikelnummer artikelnr artnr artikelid artikelcode produktid produktnummer produktnr produktcode
    bestellnummer bestellnr
    idproduit refproduit referenceproduit codeproduit codearticle numeroarticle refarticle
    referencearticle reference ref
    idproducto codigoproducto codigodelproducto codigoarticulo codarticulo refproducto referencia codigo
    idprodotto codiceprodotto codicearticolo riferimento codice idproduto codigodoproduto codigoproduto
    productnummer productcode artikelnummer idproduktu kodproduktu numerkatalogowy symbol kod
    varenummer varenr urunkodu stokkodu артикул кодтовара idтовара
    商品番号 商品コード 商品id 品番 商品编号 商品编码 货号 상품번호
""")
_TITLE = _words("""
    producttitle title productname name itemname itemtitle articlename
    titel bezeichnung produktname produkttitel produktbezeichnung artikelbezeichnung artikelname
    titre nom nomproduit nomduproduit libelle designation intitule
    titulo nombre nombreproducto nombredelproducto denominacion
    titolo nome nomeprodotto denominazione nomeproduto nomedoproduto naam productnaam artikelnaam
    tytul nazwa nazwaproduktu namn produktnamn benamning navn produktnavn urunadi
    название наименование названиетовара 商品名 商品名称 标题 品名 상품명
""")
_DESCRIPTION = _words("""
    productdescription description bodyhtml body longdescription shortdescription
    beschreibung produktbeschreibung artikelbeschreibung langbeschreibung langtext artikeltext kurzbeschreibung
    descriptif descriptionproduit descriptionlongue descriptioncourte
    descripcion descripcionproducto descripcionlarga descripcioncorta
    descrizione descrizioneprodotto descricao descricaodoproduto omschrijving beschrijving productomschrijving
    opis opisproduktu beskrivning beskrivelse produktbeskrivning aciklama описание 商品説明 说明 描述 商品描述 설명
""")
_BRAND = _words("""
    productbrand brand brandname vendor manufacturer maker marke hersteller markenname
    marque fabricant marca fabricante produttore merk fabrikant producent marka varumarke maerke tillverkare
    бренд производитель марка ブランド メーカー 品牌 브랜드
""")
_CATEGORY = _words("""
    productcategory category producttype googleproductcategory categories categorypath breadcrumb breadcrumbs
    kategorie warengruppe produktkategorie produktgruppe artikelgruppe rubrik categorie rayon famille
    categoria familia reparto categorieproduit productgroep kategoria kategori type department
    категория カテゴリ カテゴリー 分类 类目 카테고리
""")
_PRICE = _words("""
    variantprice saleprice price currentprice unitprice sellingprice preis verkaufspreis vkpreis bruttopreis endpreis
    stuckpreis stueckpreis pricecents priceincents priceamount pricevalue
    prix prixttc prixdevente prixunitaire tarif precio precioventa preciodeventa preciounitario pvp
    prezzo prezzodivendita preco precodevenda prijs verkoopprijs cena cenabrutto pris fiyat цена
    価格 販売価格 价格 售价 가격
""")
_LIST_PRICE = _words("""
    variantcompareatprice listprice originalprice regularprice rrp msrp uvp listenpreis streichpreis altpreis
    prixbarre prixconseille prixpublic ancienprix preciotarifa precioanterior preciooriginal pvpr
    prezzodilistino prezzolistino precooriginal adviesprijs cenakatalogowa ordinariepris 定価 原价 price
""")
_RATING = _words("""
    averagerating rating stars reviewscore ratingaverage bewertung durchschnittsbewertung sterne
    notemoyenne valoracion puntuacion calificacion estrellas valutazione avaliacao beoordeling ocena betyg
    рейтинг 評価 评分 평점
""")
_RATING_COUNT = _words("""
    ratingcount ratingscount reviewcount reviewscount numreviews numratings numberofreviews reviews
    anzahlbewertungen bewertungsanzahl bewertungen nombreavis nombredavis nbavis avis
    numerovaloraciones numerodevaloraciones valoraciones opiniones numerorecensioni recensioni avaliacoes
    aantalbeoordelingen liczbaocen отзывы レビュー数 评论数
""")
_LISTED_AT = _words("""
    listedat createdat publishedat availabledate dateadded erstelltam angelegtam eingestelltam erstellungsdatum
    datecreation datedecreation dateajout fechaalta fechadealta fechacreacion datacreazione datadecriacao
""")
_IMAGE = _words("""
    image imagepath imagefile imagename photo picture filename bild bilddatei bildname produktbild foto
    imagen imagenes immagine imagem afbeelding zdjecie billede visuel изображение фото 画像 图片 이미지
""")
_QUERY_TEXT = _words("""
    querytext query searchterm searchterms searchquery searchphrase text keywords keyword term q
    suchbegriff suchanfrage suchwort suchtext suchphrase anfrage requete recherche termederecherche motscles
    consulta busqueda terminodebusqueda terminobusqueda palabrasclave ricerca terminediricerca
    busca pesquisa termodebusca zoekterm zoekopdracht zoekwoord zapytanie fraza sokord sokterm sogeord
    запрос поисковыйзапрос 検索語 検索キーワード キーワード 查询 查询词 搜索词 검색어
""")
_QUERY_ID = _words("queryid qid searchid anfrageid anfragenummer idrequete idconsulta idbusqueda")
_GRADE = _words("""
    grade rating bewertung relevance relevancescore escilabel relevancelabel label judgement judgment rel gain
    relevanz note urteil relevanzurteil pertinence evaluation jugement relevancia valoracion puntuacion calificacion
    rilevanza pertinenza valutazione giudizio relevantie beoordeling trafnosc ocena relevans betyg
    оценка релевантность 関連度 評価 相关性 评分 score
""")
_CURRENCY = _words(
    "currency pricecurrency currencycode waehrung wahrung devise moneda divisa valuta moeda waluta валюта 通貨 货币"
)

PRODUCT: Names = {
    "product_id": _PRODUCT_ID,
    "title": _TITLE,
    "description": _DESCRIPTION,
    "brand": _BRAND,
    "category": _CATEGORY,
    "price": _PRICE,
    "list_price": _LIST_PRICE,
    "currency": _CURRENCY,
    "group": _words("itemgroupid handle parentid parentsku groupid parentproductid"),
    "rating": _RATING,
    "rating_count": _RATING_COUNT,
    "listed_at": _LISTED_AT,
    "image": _IMAGE,
}
QUERY: Names = {
    "query_id": (*_QUERY_ID, "id"),
    "text": _QUERY_TEXT,
    "image": _IMAGE,
    "split": ("split",),
    "segment": _words("segment querytype kind"),
    "at": _words("at askedat timestamp querytime searchedat"),
    "session": _words("session sessionid visitid visit"),
    "shopper": _words("shopper shopperid userid customerid visitorid clientid user customer"),
    "history": ("history",),
}
JUDGEMENT: Names = {
    "query_id": _QUERY_ID,
    "query": tuple(word for word in _QUERY_TEXT if word != "text"),
    "product_id": (
        *_words("productid productuid docid documentid itemid sku asin articleid handle doc"),
        *(word for word in _PRODUCT_ID if word != "id"),
        "id",
    ),
    "grade": _GRADE,
    "title": _words("producttitle title productname"),
}
# Behind these a number or a letter tells one rater's column from another's.
RATERS = _words("""
    rater annotator judge assessor evaluator labeler labeller reviewer gutachter bewerter prufer juror
    annotateur evaluateur juge evaluador anotador juez valutatore beoordelaar
""")
# Words around a column's name that do not change what it is: units, taxes, and what all columns of a table are of.
AROUND = frozenset(
    _words("in en em as brutto gross ttc incl inkl incluido incluso vat mwst ust iva btw tva tax taxes")
)
OF_A_PRODUCT = frozenset(
    _words("product products item article variant artikel produkt produit producto prodotto produto shop")
)
LANGUAGES = frozenset(_words("de en fr es it nl pl pt sv da no fi cs tr ru ja zh ko us uk gb at ch"))
